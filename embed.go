// Package waggle carries the sources of the kernel library, so that the
// compiler needs neither a Go toolchain nor a module cache to find them.
//
// Start reading at [github.com/waggle-bpf/waggle/bpf] (kernel side),
// [github.com/waggle-bpf/waggle/compile] and
// [github.com/waggle-bpf/waggle/load] (user side), or at ARCHITECTURE.md.
package waggle

import "embed"

// BPF holds the directory bpf.
//
//go:embed bpf
var BPF embed.FS
