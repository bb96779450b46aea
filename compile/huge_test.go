package compile

import (
	"testing"

	"github.com/waggle-bpf/waggle/internal/compiler/subset"
)

// TestHugeTypes wants types that no stack holds to be refused without looking at
// each of their elements.
func TestHugeTypes(t *testing.T) {
	for _, body := range []string{
		"p := new([1 << 40]byte); return xdp.Action(p[ctx.RxQueueIndex])",
		"s := make([]byte, 1<<28); return xdp.Action(s[ctx.RxQueueIndex])",
		"var a [1 << 26]byte; a[ctx.RxQueueIndex] = 1; return xdp.Action(a[3])",
		"var a struct { b [1 << 20][1 << 12]uint64 }; p := &a; p.b[ctx.RxQueueIndex][0]++; return xdp.Action(p.b[1][0])",
		"b := table; i := ctx.RxQueueIndex; b[i]++; return xdp.Action(b[i+1])",
	} {
		list := refused(t, huge(body))
		if len(list) != 1 || list[0].Code != subset.StackSize {
			t.Errorf("%s: got %v", body, list)
		}
	}
	for _, body := range []string{
		"table[ctx.RxQueueIndex] = 1; return xdp.Action(table[3])",
		"var none [1 << 40]struct{}; return xdp.Action(len(none) >> 40)",
		"var none [1 << 40]struct{}; n := 0; f := func() { n++; _ = none[n] }; f(); return xdp.Action(n)",
	} {
		if list := refused(t, huge(body)); list != nil {
			t.Errorf("%s: got %v", body, list)
		}
	}
}

func huge(body string) string {
	return `package p

import "github.com/waggle-bpf/waggle/bpf/xdp"

var table [1 << 27]byte

//bpf:xdp
func P(ctx *xdp.Context) xdp.Action { ` + body + ` }
`
}
