// Package load opens BPF objects, loads them into the kernel, attaches their
// programs and reads what they produce: maps, event streams, fault counters.
// It works on any object that follows libbpf's conventions, whether waggle's
// compiler or clang made it.
//
// The way of an object:
//
//	obj, err := load.Open("count.o")            // checked, nothing in the kernel yet
//	err = obj.Set("port", uint16(80))           // constants, before the verifier sees them
//	h, err := obj.Load(load.Options{})          // maps created, programs verified
//	defer h.Close()                             // detaches and frees everything
//	_, err = h.Attach("count", load.Target{Interfaces: []string{"lo"}})
//
//	hits, err := load.MapOf[netip4, uint64](h, "hits")
//	for addr, n := range hits.All(&err) { ... }
//
//	events, err := load.Events[Event](h, "events", load.StreamOptions{})
//	for e := range events.All(ctx) { ... }      // e is valid during the body
//
// An [Object] is what the file says; a [Handle] is what the kernel holds; a
// [Link] is one attachment. Attachments end with [Handle.Close] and, unless
// pinned, with the process. The one exception are tc filters on kernels
// without tcx (before 6.6), see [Link.OutlivesProcess].
//
// # Errors
//
// A program the verifier refuses gives a [*VerifierError]: one line with the
// source position and a sentence in plain words; the kernel's log is in its
// Log field. A missing capability gives a [*PrivilegeError], a missing kernel
// feature an error for which errors.Is(err, [ErrNotSupported]) holds. All
// others have the form "verb object: cause".
//
// # Types
//
// Map keys, values and events are plain Go types without pointers, laid out as
// the kernel side lays them out. With waggle's compiler they are the kernel
// package's own types; for objects of clang declare the C struct in Go with
// the same field sizes, its padding spelt out or left to Go's alignment, which
// follows the same rules on 64-bit machines. Sizes are checked against the
// kernel's, fields against the object's BTF.
//
// Package probe below this one tells what the kernel, the process's rights and
// the mounted file systems allow.
//
// Only Linux can load; opening and inspecting objects works everywhere.
package load
