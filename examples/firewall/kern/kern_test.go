package kern

import (
	"net/netip"
	"testing"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/bpftest"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

func TestFilter(t *testing.T) {
	k := bpftest.New(t)
	for text, action := range map[string]Action{
		"10.0.0.0/8": Deny, "10.1.0.0/16": Allow, "10.1.2.3/32": Deny, "2001:db8::/32": Deny,
	} {
		Rules.Update(packet.MustParsePrefix(text), Rule{Action: action}, bpf.Any)
	}
	for src, want := range map[string]xdp.Action{
		"10.2.0.1":    xdp.Drop,
		"10.1.0.1":    xdp.Pass,
		"10.1.2.3":    xdp.Drop,
		"11.0.0.1":    xdp.Pass,
		"2001:db8::1": xdp.Drop,
		"2001:db9::1": xdp.Pass,
	} {
		dst := "192.0.2.1"
		if netip.MustParseAddr(src).Is6() {
			dst = "::1"
		}
		if got := k.XDP(Filter, bpftest.Packet{Src: src, Dst: dst}); got.Verdict != want {
			t.Errorf("from %s: got %v, want %v", src, got.Verdict, want)
		}
	}
	if got := k.XDP(Filter, bpftest.Data("no IP packet")); got.Verdict != xdp.Pass {
		t.Errorf("no IP packet: got %v", got.Verdict)
	}
	rule := Rules.Lookup(packet.MustParseAddr("10.1.2.3").Prefix())
	if rule == nil || rule.Packets != 1 {
		t.Errorf("got rule %+v, want it to have decided once", rule)
	}
}
