package kern

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/bpftest"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/sk"
)

func TestWatch(t *testing.T) {
	k := bpftest.New(t)
	ctx := &sk.OpsContext{
		Family:   sk.AFInet,
		LocalIP4: packet.IPv4Addr(10, 0, 0, 1), LocalPort: 40000,
		RemoteIP4: packet.IPv4Addr(10, 0, 0, 2), RemotePort: bpf.ToBE32(443),
	}
	want := Change{
		Local: packet.MustParseAddr("10.0.0.1"), LocalPort: 40000,
		Remote: packet.MustParseAddr("10.0.0.2"), RemotePort: 443,
	}
	for _, c := range []struct {
		op       sk.Op
		old, new sk.State
	}{
		{sk.ConnectStart, sk.Closed, sk.SynSent},
		{sk.StateChange, sk.SynSent, sk.Established},
		{sk.PassiveEstablished, sk.Listening, sk.SynRecv},
		{sk.Listen, sk.Closed, sk.Listening},
	} {
		ctx.Op, ctx.CbFlags = c.op, 0
		ctx.Args = [4]uint32{uint32(c.old), uint32(c.new)}
		bpftest.Run(k, Watch, ctx)
		want.Old, want.New = c.old, c.new
		if diff := cmp.Diff([]Change{want}, bpftest.Events(k, &Changes)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.op, diff)
		}
		if asked := ctx.CbFlags == uint32(sk.ReportStateChange); asked != (c.op != sk.StateChange) {
			t.Errorf("%v: flags %#x", c.op, ctx.CbFlags)
		}
	}
	ctx.Op, ctx.CbFlags = sk.RTT, 0
	bpftest.Run(k, Watch, ctx)
	if e := bpftest.Events(k, &Changes); len(e) > 0 || ctx.CbFlags != 0 {
		t.Errorf("other event: got %v, flags %#x", e, ctx.CbFlags)
	}
}
