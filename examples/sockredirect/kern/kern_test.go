package kern

import (
	"testing"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/bpftest"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/sk"
)

func TestRedirect(t *testing.T) {
	k := bpftest.New(t)
	a, b := packet.IPv4Addr(10, 0, 0, 1), packet.IPv4Addr(10, 0, 0, 2)
	client := &sk.OpsContext{Op: sk.ActiveEstablished, Family: sk.AFInet,
		LocalIP4: a, LocalPort: 40000, RemoteIP4: b, RemotePort: bpf.ToBE32(80)}
	message := func(c *sk.MsgContext) { // from the other end
		c.Family = sk.AFInet
		c.LocalIP4, c.LocalPort, c.RemoteIP4, c.RemotePort = b, 80, a, bpf.ToBE32(40000)
	}

	got := k.Msg(Redirect, bpftest.Data("early"), message)
	if got.Verdict != sk.Pass || got.Redirect != nil {
		t.Errorf("nobody enrolled: got %v, %+v", got.Verdict, got.Redirect)
	}
	bpftest.Run(k, Enrol, client)
	got = k.Msg(Redirect, bpftest.Data("hello"), message)
	if got.Verdict != sk.Pass || got.Redirect == nil || got.Redirect.Target != client || got.Redirect.Flags != uint64(sk.Ingress) {
		t.Errorf("got %v, %+v", got.Verdict, got.Redirect)
	}
	if want := (Stats{Redirected: 1, Passed: 1, Bytes: 5}); Total != want {
		t.Errorf("got %+v, want %+v", Total, want)
	}
}
