#!/bin/sh
# Compiles the C programs of this directory. The objects are committed, so that
# the tests need no clang; run this after changing a program.
set -e
cd "$(dirname "$0")"
include=/usr/include/$(uname -m)-linux-gnu
for c in "${@:-*.c}"; do
	for f in $c; do
		clang -O2 -g -mcpu=v3 -target bpf -I"$include" -ffile-prefix-map="$PWD"=. -fdebug-compilation-dir=. -Wall -Wno-unused-parameter -c "$f" -o "${f%.c}.o"
		llvm-strip -g "${f%.c}.o"
	done
done
clang -O2 -target bpfeb -I"$include" -c tiny.c -o bigendian.o
