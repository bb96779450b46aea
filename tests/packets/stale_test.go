package packets

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/waggle-bpf/waggle/compile"
)

// staleHead begins the program that the bodies below belong to: b is the packet,
// n what it returns.
const staleHead = `package p

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/tc"
)

var Next = bpf.ProgArray{MaxEntries: 1}

func first(b packet.Bytes) uint32 {
	if len(b) < 1 {
		return 0
	}
	return uint32(b[0])
}

func pull(ctx *tc.Context) { ctx.Pull(64) }

//bpf:noinline
func pullFar(ctx *tc.Context) { ctx.Pull(64) }

//bpf:noinline
func pullSome(ctx *tc.Context) bool {
	if ctx.Mark == 7 {
		ctx.Pull(64)
		return true
	}
	return false
}

//bpf:noinline
func firstFar(h *[64]byte) uint32 {
	return uint32(h[3]) + index
}

var index uint32

//bpf:tc
func F(ctx *tc.Context) tc.Action {
	b := ctx.Data()
	n := uint32(0)
`

const staleTail = `
	return tc.Action(n)
}
`

// refused marks the line at which a program is refused, in front of words of the
// message.
const refused = "// refused: "

// stale has bodies of programs that use slices of a packet which a helper may have
// moved, or take care not to.
var stale = []struct{ name, body string }{
	{"used before", `
	n += first(b)
	ctx.Pull(64)
`},
	{"used after", `
	ctx.Pull(64)
	n += uint32(b[0]) // refused: bpf_skb_pull_data in line
`},
	{"made again", `
	ctx.Pull(64)
	b = ctx.Data()
	n += first(b)
`},
	{"made again if moved", `
	if ctx.Mark == 7 {
		ctx.Pull(64)
		b = ctx.Data()
	}
	n += first(b)
`},
	{"moved on one way, which ends", `
	if ctx.Mark == 7 {
		ctx.Pull(64)
		return tc.OK
	}
	n += first(b)
`},
	{"moved on one way, left to the verifier", `
	m := ctx.Mark == 7
	if m {
		ctx.Pull(64)
	}
	if !m {
		n += first(b)
	}
`},
	{"moved on all ways", `
	if ctx.Mark == 7 {
		ctx.Pull(64)
	} else {
		ctx.Pull(128)
	}
	n += uint32(b[1]) // refused: bpf_skb_pull_data in line
`},
	{"header", `
	h := packet.At[packet.IPv4](b, 14)
	if h == nil {
		return tc.OK
	}
	ctx.ChangeTail(90)
	n += uint32(h.TTL) // refused: bpf_skb_change_tail in line
`},
	{"written", `
	h := packet.At[packet.IPv4](b, 14)
	if h == nil {
		return tc.OK
	}
	ctx.ChangeTail(90)
	h.TTL-- // refused: bpf_skb_change_tail in line
`},
	{"checked only", `
	ctx.Pull(64)
	if len(b) > 0 {
		n = 1
	}
`},
	{"in the library", `
	ctx.Pull(64) // refused: is used after it (in bpf/packet/parse.go:
	p := packet.Parse(b)
	if p.TCP != nil {
		n = 1
	}
`},
	{"parsed before", `
	p := packet.Parse(b)
	if p.TCP == nil {
		return tc.OK
	}
	port := p.TCP.SrcPort
	ctx.Pull(64)
	if port == 7 {
		n = 1
	}
`},
	{"parsed before, read after", `
	p := packet.Parse(b)
	if p.TCP == nil {
		return tc.OK
	}
	ctx.Pull(64)
	if p.TCP.SrcPort == 7 { // refused: bpf_skb_pull_data in line
	n = 1
}
`},
	{"next turn of a loop", `
	for range ctx.Len & 3 {
		n += uint32(b[0]) // refused: bpf_skb_pull_data in line
		ctx.Pull(64)
	}
`},
	{"next turn of a loop, made again", `
	for range ctx.Len & 3 {
		n += first(b)
		ctx.Pull(64)
		b = ctx.Data()
	}
`},
	{"loop that tries again", `
	for range 2 {
		if len(b) > 60 {
			n = uint32(b[60])
			break
		}
		ctx.Pull(64)
		b = ctx.Data()
	}
`},
	{"moved by an inlined function", `
	pull(ctx)
	n += uint32(b[0]) // refused: bpf_skb_pull_data in line
`},
	{"moved by a function", `
	pullFar(ctx)
	n += uint32(b[0]) // refused: bpf_skb_pull_data in line
`},
	{"moved by a function, made again", `
	pullFar(ctx)
	b = ctx.Data()
	n += first(b)
`},
	{"a function tells whether it moved", `
	if pullSome(ctx) {
		b = ctx.Data()
	}
	n += first(b)
`},
	{"passed to a function", `
	h := packet.At[[64]byte](b, 0)
	if h == nil {
		return tc.OK
	}
	n += firstFar(h)
	ctx.Pull(64)
`},
	{"passed to a function after", `
	h := packet.At[[64]byte](b, 0)
	if h == nil {
		return tc.OK
	}
	ctx.Pull(64)
	return late(h) + tc.Action(n)
}

//bpf:noinline
func late(h *[64]byte) tc.Action {
	n := uint32(h[3]) + index // refused: bpf_skb_pull_data in line
`},
	{"tail call that fails", `
	Next.TailCall(ctx, 0)
	n += first(b)
`},
	{"passed to a helper after", `
	h := packet.At[[64]byte](b, 0)
	if h == nil {
		return tc.OK
	}
	ctx.Pull(64)
	n += uint32(bpf.CsumDiff(h[:4], h[4:8], 0)) // refused: bpf_skb_pull_data in line
`},
}

// TestStalePackets: what is accepted loads, what is refused would not.
func TestStalePackets(t *testing.T) {
	for _, test := range stale {
		t.Run(test.name, func(t *testing.T) {
			src := staleHead + test.body + staleTail
			obj, err := compile.Compile(context.Background(), compile.Config{
				Files: map[string][]byte{"p.go": []byte(src)}, Check: true,
			})
			before, after, found := strings.Cut(src, refused)
			if !found {
				if err != nil {
					t.Fatal(err)
				}
				loadObject(t, obj.ELF)
				return
			}
			var list compile.Diagnostics
			if !errors.As(err, &list) || len(list) != 1 || list[0].Code != "W1213" {
				t.Fatalf("got %v", err)
			}
			want, _, _ := strings.Cut(after, "\n")
			if !strings.Contains(list[0].Message, want) || list[0].Pos.Line != strings.Count(before, "\n")+1 {
				t.Errorf("line %d: got %v, want %q", strings.Count(before, "\n")+1, list[0], want)
			}
		})
	}
}
