// Package pass lets every packet through.
package pass

import "github.com/waggle-bpf/waggle/bpf/xdp"

//bpf:xdp
func Prog(*xdp.Context) xdp.Action { return xdp.Pass }
