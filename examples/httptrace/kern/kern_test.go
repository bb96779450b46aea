package kern

import (
	"strings"
	"testing"

	"github.com/waggle-bpf/waggle/bpf/bpftest"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

const client, server = "10.0.0.1:40000", "10.0.0.2:80"

// TestHeaders: headers may fill the whole copy.
func TestHeaders(t *testing.T) {
	k := bpftest.New(t)
	options := make([]byte, 8+255*8-1) // without its first byte
	options[0] = 255
	k.XDP(Trace, bpftest.Packet{
		Src: "[2001:db8::1]:40000", Dst: "[2001:db8::2]:80",
		IPv6Headers: []bpftest.Extension{{Proto: packet.ProtoDestOpts, Data: options}},
		Payload:     "GET /foo HTTP/1.1\r\n",
	})
	got := bpftest.Samples(k, &Requests)
	if len(got) != 1 || got[0].Value.Offset != MaxPacket || got[0].Value.Len != MaxPacket {
		t.Errorf("got %+v", got)
	}
}

func TestTrace(t *testing.T) {
	k := bpftest.New(t)
	const request = "GET /foo HTTP/1.1\r\n"
	for _, p := range []bpftest.Packet{
		{Src: client, Dst: server, Payload: request},
		{Src: client, Dst: server, VLANs: []uint16{7}, Payload: request},
		{Src: "[2001:db8::1]:40000", Dst: "[2001:db8::2]:80", Payload: request + strings.Repeat("x", 2*MaxPacket)},
		{Src: server, Dst: client, Payload: "HTTP/1.1 200 OK\r\n"},
		{Src: client, Dst: server, Proto: packet.ProtoUDP, Payload: request},
	} {
		if got := k.XDP(Trace, p); got.Verdict != xdp.Pass {
			t.Errorf("%+v: got %v", p, got.Verdict)
		}
	}
	var clients []string
	for _, s := range bpftest.Samples(k, &Requests) {
		r := s.Value
		clients = append(clients, r.Client.String())
		if int(r.Len) != len(s.Packet) || r.Len > MaxPacket || !strings.HasPrefix(string(s.Packet[r.Offset:]), request) {
			t.Errorf("got %+v and %d bytes of packet", r, len(s.Packet))
		}
	}
	if got := strings.Join(clients, " "); got != "10.0.0.1 10.0.0.1 2001:db8::1" {
		t.Errorf("got requests of %s", got)
	}
}
