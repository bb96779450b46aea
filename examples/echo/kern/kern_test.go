package kern

import (
	"testing"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/bpftest"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/sk"
)

func TestEcho(t *testing.T) {
	k := bpftest.New(t)
	from := func(c *sk.SkbContext) {
		c.Family, c.RemoteIP4, c.RemotePort = sk.AFInet, packet.IPv4Addr(10, 0, 0, 1), bpf.ToBE32(40000)
	}
	data := bpftest.Data("hello")
	if got := bpftest.Skb(k, Echo, data, from); got.Verdict != sk.Drop || got.Redirect != nil {
		t.Errorf("unknown client: got %v, %+v", got.Verdict, got.Redirect)
	}
	bpftest.SetSocket(k, &Conns, Client{packet.MustParseAddr("10.0.0.1"), 40000}, "its socket")
	got := bpftest.Skb(k, Echo, data, from)
	if got.Verdict != sk.Pass || got.Redirect == nil || got.Redirect.Target != "its socket" || got.Redirect.Flags != 0 {
		t.Errorf("got %v, %+v", got.Verdict, got.Redirect)
	}
	if got := bpftest.Skb(k, Echo, bpftest.Data(""), from); got.Verdict != sk.Drop || got.Redirect != nil {
		t.Errorf("no data: got %v, %+v", got.Verdict, got.Redirect)
	}
}
