package packet_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waggle-bpf/waggle/bpf/bpftest"
	"github.com/waggle-bpf/waggle/bpf/packet"
)

// found is what a test expects Parse to find.
type found struct {
	Headers          string // of eth vlan ip4 ip6 tcp udp icmp
	Proto            packet.Proto
	Fragment         bool
	Src, Dst         string
	SrcPort, DstPort uint16
	L3, L4, L7, End  int
	Payload          string
}

func summary(p *packet.Packet) found {
	var headers []string
	for _, h := range []struct {
		name  string
		there bool
	}{
		{"eth", p.Eth != nil}, {"vlan", p.VLAN != nil}, {"ip4", p.IPv4 != nil}, {"ip6", p.IPv6 != nil},
		{"tcp", p.TCP != nil}, {"udp", p.UDP != nil}, {"icmp", p.ICMP != nil},
	} {
		if h.there {
			headers = append(headers, h.name)
		}
	}
	f := found{
		Headers: strings.Join(headers, " "), Proto: p.Proto, Fragment: p.Fragment,
		SrcPort: p.SrcPort(), DstPort: p.DstPort(), L3: p.L3, L4: p.L4, L7: p.L7, End: p.End,
		Payload: string(p.Payload),
	}
	if p.IsIP() {
		f.Src, f.Dst = p.Src().String(), p.Dst().String()
	}
	return f
}

const (
	a4, b4 = "10.0.0.1:40000", "10.0.0.2:80"
	a6, b6 = "[2001:db8::1]:40000", "[2001:db8::2]:80"
)

// These vectors were written by hand from the RFCs, without our builder.
var vectors = []struct {
	name, hex string
	want      found
}{{
	"udp",
	"020000000002 020000000001 0800" +
		"4500 0020 0000 4000 4011 b8b4 c0a80001 c0a800c7" +
		"0035 1234 000c 0000 61626364",
	found{"eth ip4 udp", 17, false, "192.168.0.1", "192.168.0.199", 53, 0x1234, 14, 34, 42, 46, "abcd"},
}, {
	"a bare ACK with Ethernet padding",
	"020000000002 020000000001 0800" +
		"4500 0028 0001 4000 4006 0000 0a000001 0a000002" +
		"9c40 0050 00000001 00000002 5010 ffff 0000 0000" +
		"474554202f20",
	found{"eth ip4 tcp", 6, false, "10.0.0.1", "10.0.0.2", 40000, 80, 14, 34, 54, 54, ""},
}, {
	"IPv4 router alert option, QinQ",
	"020000000002 020000000001 88a8 0064 8100 2007 0800" +
		"4600 001c 0001 0000 0102 0000 0a000001 e0000001 94040000" +
		"00000000",
	found{"eth vlan ip4", 2, false, "10.0.0.1", "224.0.0.1", 0, 0, 22, 0, 0, 50, ""},
}, {
	"IPv6 hop-by-hop and ICMPv6",
	"333300000001 020000000001 86dd" +
		"60000000 0010 00 01 fe800000000000000000000000000001 ff020000000000000000000000000001" +
		"3a00 05020000 0100" +
		"8000 0000 1234 0001",
	found{"eth ip6 icmp", 58, false, "fe80::1", "ff02::1", 0, 0, 14, 62, 70, 70, ""},
}}

func TestParseVectors(t *testing.T) {
	for _, v := range vectors {
		b, err := hex.DecodeString(strings.ReplaceAll(v.hex, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		p := packet.Parse(b)
		if diff := cmp.Diff(v.want, summary(&p)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", v.name, diff)
		}
	}
}

func TestParse(t *testing.T) {
	ext := func(p packet.Proto, words int) bpftest.Extension {
		return bpftest.Extension{Proto: p, Data: append([]byte{byte(words)}, make([]byte, 6+8*words)...)}
	}
	tests := []struct {
		name string
		in   bpftest.Packet
		want found
	}{
		{"tcp4", bpftest.Packet{Src: a4, Dst: b4, Payload: "hello"},
			found{"eth ip4 tcp", 6, false, "10.0.0.1", "10.0.0.2", 40000, 80, 14, 34, 54, 59, "hello"}},
		{"tcp6", bpftest.Packet{Src: a6, Dst: b6, Payload: "hello"},
			found{"eth ip6 tcp", 6, false, "2001:db8::1", "2001:db8::2", 40000, 80, 14, 54, 74, 79, "hello"}},
		{"options", bpftest.Packet{Src: a4, Dst: b4, IPv4Options: make([]byte, 40), TCPOptions: make([]byte, 40), Payload: "x"},
			found{"eth ip4 tcp", 6, false, "10.0.0.1", "10.0.0.2", 40000, 80, 14, 74, 134, 135, "x"}},
		{"udp6, two tags", bpftest.Packet{Src: a6, Dst: b6, Proto: packet.ProtoUDP, VLANs: []uint16{3, 4}, Payload: "q"},
			found{"eth vlan ip6 udp", 17, false, "2001:db8::1", "2001:db8::2", 40000, 80, 22, 62, 70, 71, "q"}},
		{"three tags are too many", bpftest.Packet{Src: a4, Dst: b4, VLANs: []uint16{1, 2, 3}},
			found{Headers: "eth vlan"}},
		{"padding", bpftest.Packet{Src: a4, Dst: b4, Payload: "ab", Pad: 4},
			found{"eth ip4 tcp", 6, false, "10.0.0.1", "10.0.0.2", 40000, 80, 14, 34, 54, 56, "ab"}},
		{"padding6", bpftest.Packet{Src: a6, Dst: b6, Pad: 9},
			found{"eth ip6 tcp", 6, false, "2001:db8::1", "2001:db8::2", 40000, 80, 14, 54, 74, 74, ""}},
		{"first fragment", bpftest.Packet{Src: a4, Dst: b4, MoreFragments: true, Payload: "x"},
			found{"eth ip4 tcp", 6, true, "10.0.0.1", "10.0.0.2", 40000, 80, 14, 34, 54, 55, "x"}},
		{"later fragment", bpftest.Packet{Src: a4, Dst: b4, FragmentOffset: 8, Payload: "GET /"},
			found{"eth ip4", 6, true, "10.0.0.1", "10.0.0.2", 0, 0, 14, 0, 0, 39, ""}},
		{"first fragment6", bpftest.Packet{Src: a6, Dst: b6, MoreFragments: true, Payload: "x"},
			found{"eth ip6 tcp", 6, true, "2001:db8::1", "2001:db8::2", 40000, 80, 14, 62, 82, 83, "x"}},
		{"later fragment6", bpftest.Packet{Src: a6, Dst: b6, FragmentOffset: 16, Payload: "GET /"},
			found{"eth ip6", 6, true, "2001:db8::1", "2001:db8::2", 0, 0, 14, 0, 0, 67, ""}},
		{"extension headers", bpftest.Packet{Src: a6, Dst: b6, Payload: "y", IPv6Headers: []bpftest.Extension{
			ext(packet.ProtoHopByHop, 1), ext(packet.ProtoRouting, 2), ext(packet.ProtoDestOpts, 0),
		}},
			found{"eth ip6 tcp", 6, false, "2001:db8::1", "2001:db8::2", 40000, 80, 14, 102, 122, 123, "y"}},
		{"authentication header", bpftest.Packet{Src: a6, Dst: b6, Payload: "y", IPv6Headers: []bpftest.Extension{
			{Proto: packet.ProtoAH, Data: append([]byte{4}, make([]byte, 22)...)},
		}},
			found{"eth ip6 tcp", 6, false, "2001:db8::1", "2001:db8::2", 40000, 80, 14, 78, 98, 99, "y"}},
		{"nothing follows", bpftest.Packet{Src: a6, Dst: b6, Proto: packet.ProtoNone},
			found{"eth ip6", 59, false, "2001:db8::1", "2001:db8::2", 0, 0, 14, 0, 0, 54, ""}},
		{"icmp", bpftest.Packet{Src: "10.0.0.1", Dst: "10.0.0.2", Proto: packet.ProtoICMP, ICMPType: 8, Payload: "ping"},
			found{"eth ip4 icmp", 1, false, "10.0.0.1", "10.0.0.2", 0, 0, 14, 34, 42, 46, "ping"}},
	}
	for _, test := range tests {
		p := packet.Parse(test.in.Bytes())
		if diff := cmp.Diff(test.want, summary(&p)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func TestParseIP(t *testing.T) {
	for _, in := range []bpftest.Packet{
		{Src: a4, Dst: b4, NoEthernet: true, Payload: "x"},
		{Src: a6, Dst: b6, NoEthernet: true, Payload: "x"},
	} {
		p := packet.ParseIP(in.Bytes())
		if p.TCP == nil || p.DstPort() != 80 || string(p.Payload) != "x" || p.L3 != 0 || p.Eth != nil {
			t.Errorf("%s: %+v", in.Src, summary(&p))
		}
	}
	for _, b := range [][]byte{nil, {0}, {0x45}, {0x60}, {0x75}} {
		if p := packet.ParseIP(b); p.IsIP() {
			t.Errorf("% x is an IP packet", b)
		}
	}
}

// A header that is cut off anywhere is not there, and no offset lies.
func TestParseTruncated(t *testing.T) {
	for _, in := range []bpftest.Packet{
		{Src: a4, Dst: b4, VLANs: []uint16{7}, IPv4Options: make([]byte, 8), TCPOptions: make([]byte, 12), Payload: "abc"},
		{Src: a6, Dst: b6, Proto: packet.ProtoUDP, Payload: "abc", MoreFragments: true},
	} {
		whole := in.Bytes()
		full := packet.Parse(whole)
		for n := range whole {
			p := packet.Parse(whole[:n])
			if (p.TCP != nil) != (full.TCP != nil && n >= full.L4+packet.TCPLen) {
				t.Errorf("%s: %d bytes: TCP %v", in.Src, n, p.TCP)
			}
			if (p.UDP != nil) != (full.UDP != nil && n >= full.L4+packet.UDPLen) {
				t.Errorf("%s: %d bytes: UDP %v", in.Src, n, p.UDP)
			}
			if want := max(0, n-full.L7); full.L7 <= n && len(p.Payload) != want || len(p.Payload) > want {
				t.Errorf("%s: %d bytes: payload %q", in.Src, n, p.Payload)
			}
			if p.L7 != 0 && p.PayloadLen() != 3 {
				t.Errorf("%s: %d bytes: PayloadLen %d", in.Src, n, p.PayloadLen())
			}
		}
	}
}

func TestParseMalformed(t *testing.T) {
	tests := []struct {
		name   string
		damage func(b []byte)
		check  func(p *packet.Packet) bool
	}{
		{"IP header length below 20", func(b []byte) { b[14] = 0x44 }, func(p *packet.Packet) bool { return p.IPv4 == nil && p.TCP == nil }},
		{"TCP header length below 20", func(b []byte) { b[46] = 0x40 }, func(p *packet.Packet) bool { return p.IPv4 != nil && p.TCP == nil }},
		{"total length too small", func(b []byte) { b[16], b[17] = 0, 30 }, func(p *packet.Packet) bool { return p.TCP != nil && len(p.Payload) == 0 && p.PayloadLen() == 0 }},
		{"total length too big", func(b []byte) { b[16] = 0xff }, func(p *packet.Packet) bool { return string(p.Payload) == "hello" && p.PayloadLen() > 5 }},
		{"total length 0, of a big GSO packet", func(b []byte) { b[16], b[17] = 0, 0 }, func(p *packet.Packet) bool { return string(p.Payload) == "hello" && p.PayloadLen() == 5 }},
	}
	for _, test := range tests {
		b := bpftest.Packet{Src: a4, Dst: b4, Payload: "hello"}.Bytes()
		test.damage(b)
		if p := packet.Parse(b); !test.check(&p) {
			t.Errorf("%s: %+v", test.name, summary(&p))
		}
	}
}

func TestHeaderMethods(t *testing.T) {
	b := bpftest.Packet{Src: a6, Dst: b6, VLANs: []uint16{0xa123}, TOS: 0xb8, FlowLabel: 0x12345, Flags: packet.SYN | packet.ACK}.Bytes()
	p := packet.Parse(b)
	got := []any{p.VLAN.ID(), p.VLAN.Priority(), p.IPv6.Version(), p.IPv6.FlowLabel(), p.IPv6.TrafficClass(),
		p.TCP.Has(packet.SYN), p.TCP.Has(packet.SYN | packet.FIN), p.TCP.Flags.String(), p.Proto.String(), p.Eth.Dst.String()}
	want := []any{uint16(0x123), uint8(5), uint8(6), uint32(0x12345), uint8(0xb8), true, false, "SYN|ACK", "TCP", "00:00:00:00:00:00"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestWriteThrough(t *testing.T) {
	b := bpftest.Packet{Src: a4, Dst: b4}.Bytes()
	p := packet.Parse(b)
	p.TCP.DstPort = packet.Port(8080)
	if q := packet.Parse(b); q.DstPort() != 8080 {
		t.Errorf("port %d", q.DstPort())
	}
}

func FuzzParse(f *testing.F) {
	for _, v := range vectors {
		b, _ := hex.DecodeString(strings.ReplaceAll(v.hex, " ", ""))
		f.Add(b)
	}
	f.Add(bpftest.Packet{Src: a4, Dst: b4, TCPOptions: []byte{2, 4, 5, 180, 1, 3, 3, 7}, Payload: "GET / HTTP/1.1\r\n"}.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, p := range []packet.Packet{packet.Parse(b), packet.ParseIP(b)} {
			if p.L7 > 0 && (p.L4 == 0 || p.L7 <= p.L4) {
				t.Errorf("payload at %d, transport header at %d", p.L7, p.L4)
			}
			if len(p.Payload) > 0 && (p.L7+len(p.Payload) > len(b) || len(p.Payload) > p.PayloadLen()) {
				t.Errorf("%d bytes of payload at %d of %d", len(p.Payload), p.L7, len(b))
			}
			if p.TCP != nil && p.UDP != nil || p.IPv4 != nil && p.IPv6 != nil {
				t.Error("two headers where one can be")
			}
			p.TCPOptions(b)
			if l := packet.HTTPRequest(p.Payload); l.TargetEnd > len(p.Payload) {
				t.Errorf("target ends at %d of %d", l.TargetEnd, len(p.Payload))
			}
			packet.HTTPStatus(p.Payload)
		}
	})
}
