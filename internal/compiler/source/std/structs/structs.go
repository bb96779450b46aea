// Package structs is the kernel-side twin of structs.
package structs

// HostLayout marks a struct as laid out like a C struct, as all structs of
// kernel code are.
type HostLayout struct{ _ hostLayout }

type hostLayout struct{}
