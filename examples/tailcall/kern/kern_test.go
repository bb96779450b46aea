package kern

import (
	"testing"

	"github.com/waggle-bpf/waggle/bpf/bpftest"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

func TestChain(t *testing.T) {
	k := bpftest.New(t)
	for i, step := range []func(*xdp.Context) xdp.Action{DropUDP, DropPing, DropFragments} {
		bpftest.SetProgram(k, &Chain, uint32(i), step)
	}
	const a, b = "10.0.0.1:1", "10.0.0.2:2"
	for _, c := range []struct {
		name string
		in   bpftest.Packet
		want xdp.Action
		at   uint32 // how far it comes
	}{
		{"UDP", bpftest.Packet{Src: a, Dst: b, Proto: packet.ProtoUDP}, xdp.Drop, 0},
		{"ping", bpftest.Packet{Src: a, Dst: b, Proto: packet.ProtoICMP, ICMPType: packet.ICMPEcho}, xdp.Drop, 1},
		{"ping 6", bpftest.Packet{Src: "::1", Dst: "::2", Proto: packet.ProtoICMPv6, ICMPType: packet.ICMPv6Echo}, xdp.Drop, 1},
		{"fragment", bpftest.Packet{Src: a, Dst: b, FragmentOffset: 8}, xdp.Drop, 2},
		{"pong", bpftest.Packet{Src: a, Dst: b, Proto: packet.ProtoICMP}, xdp.Pass, 3},
		{"TCP", bpftest.Packet{Src: a, Dst: b}, xdp.Pass, 3},
	} {
		before := reached(k)
		if got := k.XDP(Enter, c.in); got.Verdict != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got.Verdict, c.want)
		}
		for i, n := range reached(k) {
			if came := n > before[i]; came != (i <= int(c.at)) {
				t.Errorf("%s: came to step %d: %v", c.name, i, came)
			}
		}
	}
}

func reached(k *bpftest.Kernel) (n [MaxSteps + 1]uint64) {
	for i := range n {
		n[i] = bpftest.PerCPUAt(k, &Reached, uint32(i))[0]
	}
	return n
}
