package kern

import (
	"slices"
	"testing"

	"github.com/waggle-bpf/waggle/bpf/bpftest"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/tc"
)

func TestCount(t *testing.T) {
	k := bpftest.New(t)
	tcp := bpftest.Packet{Src: "10.0.0.1:1", Dst: "10.0.0.2:2"}
	arp := bpftest.Data(make([]byte, 60))
	for cpu := range 2 {
		k.SetCPU(cpu)
		if got := k.TC(CountIn, tcp); got.Verdict != tc.Next {
			t.Errorf("got %v", got.Verdict)
		}
	}
	k.TC(CountOut, tcp)
	k.TC(CountOut, arp)

	length := uint64(len(tcp.Bytes()))
	for _, c := range []struct {
		d     Direction
		proto packet.Proto
		want  []Counter // of the first two CPUs
	}{
		{In, packet.ProtoTCP, []Counter{{1, length}, {1, length}}},
		{Out, packet.ProtoTCP, []Counter{{}, {1, length}}},
		{Out, NoIP, []Counter{{}, {1, 60}}},
		{In, NoIP, []Counter{{}, {}}},
	} {
		if got := bpftest.PerCPUAt(k, &Counters, Slot(c.d, c.proto))[:2]; !slices.Equal(got, c.want) {
			t.Errorf("%v %v: got %v, want %v", c.d, c.proto, got, c.want)
		}
	}
}
