package kern

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waggle-bpf/waggle/bpf/bpftest"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

func TestCount(t *testing.T) {
	k := bpftest.New(t)
	const client, server = "10.0.0.1:40000", "10.0.0.2:80"
	for _, p := range []bpftest.Packet{
		{Src: client, Dst: server, Payload: "GET / HTTP/1.1\r\n"},
		{Src: client, Dst: server, Payload: "GET /again HTTP/1.1\r\n"},
		{Src: client, Dst: server, Payload: "GET"},
		{Src: server, Dst: client, Payload: "HTTP/1.1 200 OK\r\n"},
		{Src: "[2001:db8::1]:40000", Dst: "[2001:db8::2]:80", Payload: "GET / HTTP/1.1\r\n"},
	} {
		if got := k.XDP(Count, p); got.Verdict != xdp.Pass {
			t.Errorf("%q: got %v", p.Payload, got.Verdict)
		}
	}
	want := map[packet.Addr]uint64{
		packet.MustParseAddr("10.0.0.1"):    2,
		packet.MustParseAddr("2001:db8::1"): 1,
	}
	if diff := cmp.Diff(want, bpftest.Entries(k, &Requests)); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}
