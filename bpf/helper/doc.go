// Package helper has every helper of the kernel's UAPI list, as it is: pointers
// are unsafe.Pointer, results are the kernel's. It is for what package bpf and
// its neighbours have no typed function for; prefer those.
//
// Maps and contexts are passed by address:
//
//	helper.MapLookupElem(unsafe.Pointer(&Counters), unsafe.Pointer(&key))
//
// The compiler can't see what a raw pointer points to, so the rules of the
// helper are the caller's business, and the verifier's.
//
// Most helpers have no native body: run natively, they panic.
package helper
