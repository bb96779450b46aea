// Package object writes a module's machine code as a BPF object: an ELF file
// that libbpf (and so bpftool) and cilium/ebpf both load. The two accept
// different things; what this package writes lies in the common part, and each
// of the differences has its test.
//
// # Sections
//
//   - one per program kind and target, named as both loaders expect ("xdp",
//     "tracepoint/sock/inet_sock_set_state"); programs of the same name share it
//   - .text: subprograms and callbacks, all local symbols
//   - .maps: one symbol per map; what the map is stands in BTF
//   - .data, .bss, .rodata: global variables; constant strings have no symbol
//   - license, .BTF, .BTF.ext
//   - .waggle.faults: see package faultinfo
//   - .waggle.arch: the machine, if the object is for one only; see package abi
//
// # References
//
// Maps are referred to by their symbol, everything else by its section's symbol
// plus an offset in the instruction:
//
//	ldimm64 of a map              R_BPF_64_64 against the map
//	ldimm64 of a variable         R_BPF_64_64 against its section, imm = byte offset
//	ldimm64 of a callback         R_BPF_64_64 against .text, imm = byte offset
//	call from a program           R_BPF_64_32 against .text, imm = offset/8 - 1
//	slot of a program array       R_BPF_64_ABS64 against the program, in .maps
//	call between subprograms      no relocation, imm relative as in the kernel
//
// An offset against a variable's own symbol would be ignored by cilium/ebpf, and
// so would a callback's.
//
// # Reading order
//
// object.go is the driver; layout.go places functions and variables; insn.go
// encodes instructions; types.go turns Go types into BTF, funcs.go and maps.go
// use it; extinfo.go writes .BTF.ext; elf.go the file.
//
// Sources: Documentation/bpf/btf.rst and llvm_reloc.rst in the kernel, libbpf's
// src/libbpf.c, cilium/ebpf's elf_reader.go.
package object
