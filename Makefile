# Everything a person or a CI job does with this tree. `make test` is all of it;
# it needs Go, root and a Debian machine, and installs the rest itself.

SHELL      := bash
.SHELLFLAGS = -euo pipefail -c
.DELETE_ON_ERROR:
.PHONY: test setup kernel fresh generate build lint unit race vm bench fuzz

# What the tests need beyond Go: readelf, clang and llvm for the C twins, bpftool and
# libbpf as second loader, qemu for other kernels, nginx, wrk and curl for traffic,
# and more servers with their clients for what is forwarded.
DEBIAN = binutils clang llvm bpftool libbpf-dev qemu-system-x86 nginx wrk curl iproute2 cpio git \
	openssh-server openssh-client strace dbus-daemon redis-server redis-tools postgresql iperf3 systemd python3

# Packages whose code runs in several goroutines: tested with the race detector.
RACE = ./load/... ./httpwatch/... ./internal/cli/... ./forward ./forward/accesslog ./forward/admin ./forward/backend ./forward/metrics ./redirect ./wake/... ./idle/... ./target ./internal/cgroup ./internal/controlsock
# Packages whose tests also run on a distribution's kernel in a virtual machine.
VM = ./internal/testkit ./internal/cli ./load ./httpwatch ./redirect ./tests/redirect ./tests/corpus ./tests/fixedbugs ./tests/packets ./tests/runtime ./idle/... ./internal/cgroup
# Packages that work on any system, checked for one without BPF.
PORTABLE = $(filter-out %/packet %/packet/kern %/sockmap %/sockmap/kern %/uring %/splice %/enginetest,$(shell go list ./forward/...)) ./idle ./idle/control ./idle/hook ./idle/policy ./idle/watch ./bpf/... ./compile/... ./internal/compiler/... ./internal/abi/... ./httpwatch/... ./load/... ./wake/... ./target/... ./internal/cli/...

# tested lists the packages of some patterns that have tests.
tested = $(shell go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' $(1))

test: setup kernel fresh build lint unit race vm

# bpftool and friends live where a plain user's PATH doesn't look.
export PATH := $(PATH):/usr/sbin:/sbin

# RUNLEVEL keeps Debian from starting what it installs.
setup:
	@missing=(); \
	for p in $(DEBIAN); do dpkg-query -W -f '$${db:Status-Status}' "$$p" 2>/dev/null | grep -qx installed || missing+=("$$p"); done; \
	if (($${#missing[@]})); then \
		echo "installing $${missing[*]}"; \
		apt-get update -qq; \
		RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$${missing[@]}" >/dev/null; \
	fi

.cache/vmrun: $(wildcard internal/testkit/vmrun/*.go internal/testkit/vm/*.go internal/testkit/vm/guest/*.go)
	@mkdir -p .cache
	go build -o $@ ./internal/testkit/vmrun

.cache/staticcheck: tools/go.mod tools/go.sum
	@mkdir -p .cache
	cd tools && go build -o ../$@ honnef.co/go/tools/cmd/staticcheck

# The package index of a fresh machine may be missing or old.
kernel: .cache/vmrun
	@.cache/vmrun -fetch 2>/dev/null || { apt-get update -qq; .cache/vmrun -fetch; }

# Generated files are committed; making them again must change nothing.
state = { git diff HEAD; git ls-files --others --exclude-standard | xargs -r cat; } | cksum
fresh:
	@before=$$($(state)); $(MAKE) --no-print-directory generate; \
	if [[ "$$before" != "$$($(state))" ]]; then git status --short; echo 'generated files are stale; commit what make generate makes' >&2; exit 1; fi

# The kernel's tables first: objects are made with them.
generate:
	go generate ./internal/abi/...
	go generate ./...

build:
	go build ./...
	GOOS=darwin GOARCH=arm64 go build $(PORTABLE)
	GOARCH=arm64 go build ./...

lint: .cache/staticcheck
	@bad=$$(gofmt -l $$(git ls-files '*.go')); if [[ -n "$$bad" ]]; then echo "not gofmt-clean: $$bad" >&2; exit 1; fi
	go mod tidy -diff
	go -C tools mod tidy -diff
	go vet ./...
	GOOS=darwin GOARCH=arm64 go vet $(PORTABLE)
	.cache/staticcheck $$(go list ./... | grep -vE '/(tests|examples|bench)/')
	# Kernel programs spell out layouts whose fields they don't all use.
	.cache/staticcheck -checks inherit,-U1000 ./tests/... ./examples/... ./bench/...

# A test that hangs must not hold up all: the limits are for one package each, many
# times what it takes on a busy machine.
unit:
	go test -timeout 5m $(TESTFLAGS) ./...

race:
	CGO_ENABLED=1 CC=clang go test -race -timeout 5m -short $(TESTFLAGS) $(call tested,$(RACE))

# The limit of the machine is a little longer than that of the tests in it, which
# tell where they hang. Boots that had to be tried again are told in the end.
vm: .cache/vmrun kernel
	@rm -f .cache/vm.log
	CGO_ENABLED=0 go test -count=1 -exec "$(CURDIR)/.cache/vmrun -module -timeout 8m30s -log $(CURDIR)/.cache/vm.log --" \
		-timeout 8m -short $(TESTFLAGS) $(call tested,$(VM)) || failed=$$?; \
	cat .cache/vm.log 2>/dev/null || true; exit $${failed:-0}

# Side by side with peers; prints ratios. The command of each measurement stands
# alone, too: go run ./bench/NAME --help.
bench:
	@for main in bench/*/main.go; do dir=$$(dirname $$main); echo "== $$dir"; go run ./$$dir; done
	go test -run '^$$' -bench . ./...

# Each fuzz target for FUZZTIME.
FUZZTIME ?= 30s
fuzz:
	@go list -f '{{.Dir}}' ./... | while read -r dir; do \
		{ grep -ho '^func Fuzz[A-Za-z0-9_]*' "$$dir"/*_test.go 2>/dev/null || true; } | sed 's/^func //' | while read -r target; do \
			echo "$$dir $$target"; go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$dir" </dev/null; \
		done; \
	done
