package bpf_test

import (
	"reflect"
	"testing"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/cgroup"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/sk"
	"github.com/waggle-bpf/waggle/bpf/tc"
	"github.com/waggle-bpf/waggle/bpf/trace"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// Go lays the structs out as C does; the offsets are those of a C compiler.
func TestLayout(t *testing.T) {
	tests := []struct {
		value any
		size  uintptr
		last  string // a field far back
		off   uintptr
	}{
		{xdp.Context{}, 24, "EgressIfIndex", 20},
		{tc.Context{}, 192, "HWTstamp", 184},
		{cgroup.SkbContext{}, 192, "Sk", 168},
		{cgroup.SockContext{}, 80, "DstIP6", 56},
		{cgroup.SockAddrContext{}, 72, "Sk", 64},
		{sk.FilterContext{}, 192, "Tstamp", 152},
		{sk.SkbContext{}, 192, "LocalPort", 136},
		{sk.MsgContext{}, 80, "Sk", 72},
		{sk.OpsContext{}, 216, "SkbTCPFlags", 212},
		{sk.LookupContext{}, 72, "IngressIfIndex", 64},
		{bpf.Sock{}, 80, "RxQueueMapping", 76},
		{bpf.TCPSock{}, 112, "IcskRetransmits", 108},
		{sk.FIBLookup{}, 64, "DstMAC", 58},
		{tc.TunnelKey{}, 44, "Local", 28},
		{tc.Neigh{}, 20, "IP", 4},
		{bpf.SpinLock{}, 4, "val", 0},
		{trace.Common{}, 8, "_", 0},
		{packet.Ethernet{}, packet.EthernetLen, "Type", 12},
		{packet.VLAN{}, packet.VLANLen, "Type", 2},
		{packet.IPv4{}, packet.IPv4Len, "DstIP", 16},
		{packet.IPv6{}, packet.IPv6Len, "DstIP", 24},
		{packet.IPv6Ext{}, 8, "ID", 4},
		{packet.TCP{}, packet.TCPLen, "Urgent", 18},
		{packet.UDP{}, packet.UDPLen, "Checksum", 6},
		{packet.ICMP{}, packet.ICMPLen, "Seq", 6},
	}
	for _, test := range tests {
		typ := reflect.TypeOf(test.value)
		if typ.Size() != test.size {
			t.Errorf("%v has %d bytes, want %d", typ, typ.Size(), test.size)
		}
		if f, ok := typ.FieldByName(test.last); test.last != "_" && (!ok || f.Offset != test.off) {
			t.Errorf("%v.%s is at %d, want %d", typ, test.last, f.Offset, test.off)
		}
	}
}
