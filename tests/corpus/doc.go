// Package corpus holds small but whole kernel packages, one in each directory
// below: the programs that tutorials and collections of examples are made of,
// written in Go. They are to be read as samples, and they are the compiler's
// acceptance test: each is compiled, loaded with cilium/ebpf and with libbpf, on
// this kernel and on a distribution's 6.1 in a virtual machine, and, where a test
// can make it happen, run: on packets of the test's, or attached to the real thing.
// Programs that only look at packets run natively too, with the same expectations.
package corpus
