package kern

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waggle-bpf/waggle/bpf/bpftest"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

const client, server = "10.0.0.1:40000", "10.0.0.2:80"

func TestDrop(t *testing.T) {
	k := bpftest.New(t)
	for _, c := range []struct {
		in   bpftest.Packet
		want xdp.Action
	}{
		{bpftest.Packet{Src: server, Dst: client, Payload: "HTTP/1.1 200 OK\r\n"}, xdp.Drop},
		{bpftest.Packet{Src: server, Dst: client, Payload: "HTTP/1.1"}, xdp.Drop},
		{bpftest.Packet{Src: server, Dst: client, Payload: "HTTP/1."}, xdp.Pass},
		{bpftest.Packet{Src: server, Dst: client, Payload: "HTTP/1.0 200 OK\r\n"}, xdp.Pass},
		{bpftest.Packet{Src: client, Dst: server, Payload: "GET / HTTP/1.1\r\n"}, xdp.Pass},
		{bpftest.Packet{Src: server, Dst: client, Payload: "HTTP/1.1", Proto: packet.ProtoUDP}, xdp.Pass},
	} {
		if got := k.XDP(Drop, c.in); got.Verdict != c.want {
			t.Errorf("%q: got %v, want %v", c.in.Payload, got.Verdict, c.want)
		}
	}
	event := Block{
		Src: packet.MustParseAddr("10.0.0.2"), SrcPort: 80,
		Dst: packet.MustParseAddr("10.0.0.1"), DstPort: 40000,
	}
	if diff := cmp.Diff([]Block{event, event}, bpftest.Events(k, &Blocks)); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// TestFull: an event too many does not let a response through.
func TestFull(t *testing.T) {
	k := bpftest.New(t)
	bpftest.Fail(k, &Blocks, 1)
	if got := k.XDP(Drop, bpftest.Packet{Src: server, Dst: client, Payload: "HTTP/1.1 200 OK"}); got.Verdict != xdp.Drop {
		t.Errorf("got %v", got.Verdict)
	}
	if n := bpftest.Lost(k, &Blocks); n != 1 {
		t.Errorf("%d events lost", n)
	}
}
