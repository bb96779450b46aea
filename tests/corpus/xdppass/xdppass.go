// Package xdppass is the smallest XDP program: it lets every packet pass.
package xdppass

import "github.com/waggle-bpf/waggle/bpf/xdp"

// Pass lets a packet pass.
//
//bpf:xdp
func Pass(*xdp.Context) xdp.Action { return xdp.Pass }
