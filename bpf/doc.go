// Package bpf is the kernel side of waggle: maps, atomics, byte order, time,
// identity and logging for programs that run inside the Linux kernel.
//
// A kernel program is an ordinary Go package that keeps to a subset of the
// language. It declares its maps as package variables and its programs as
// functions with a directive:
//
//	// Hits counts packets by length.
//	var Hits = bpf.Hash[uint32, uint64]{MaxEntries: 1024}
//
//	//bpf:xdp
//	func Count(ctx *xdp.Context) xdp.Action {
//		n := uint32(ctx.Len())
//		if hits := Hits.Lookup(n); hits != nil {
//			bpf.AtomicAdd(hits, 1)
//		} else {
//			Hits.Update(n, 1, bpf.NoExist)
//		}
//		return xdp.Pass
//	}
//
// The packages below bpf hold what belongs to one family of hooks: its context,
// its verdicts and the helpers that work on it. Package packet has views of
// network headers, package helper every helper of the kernel in its raw form.
//
// # Two lives
//
// Every function here has a Go body that imitates the kernel, so a kernel
// package runs natively under go test with the help of package bpftest. The
// compiler puts a helper call or an instruction in its place: what the
// directive in the function's doc comment names. Outside bpftest the functions
// that need a kernel panic and say so; atomics, byte order and everything in
// package packet work anywhere.
//
// The library assumes a little-endian machine, like all of waggle's targets.
package bpf

// Context is what every program gets from the kernel: a pointer to its hook's
// context. Helpers that any program may call with its own context take a
// Context. It is implemented by the context types of the packages below bpf,
// and by every struct that embeds trace.Common.
type Context interface {
	// BPFContext marks the type and does nothing.
	BPFContext()
}
