// Package object holds the kernel half of httpwatch, compiled, and its bindings.
package object

//go:generate go run github.com/waggle-bpf/waggle/cmd/waggle build ../../kern --go zkern.go
