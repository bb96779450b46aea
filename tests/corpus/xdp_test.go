package corpus

import (
	"bytes"
	"encoding/binary"
	"strings"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/bpftest"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
	"github.com/waggle-bpf/waggle/load"
	"github.com/waggle-bpf/waggle/tests/corpus/afxdp"
	"github.com/waggle-bpf/waggle/tests/corpus/cpumap"
	"github.com/waggle-bpf/waggle/tests/corpus/dhcprelay"
	"github.com/waggle-bpf/waggle/tests/corpus/icmpecho"
	"github.com/waggle-bpf/waggle/tests/corpus/loadbalancer"
	"github.com/waggle-bpf/waggle/tests/corpus/lpmfirewall"
	"github.com/waggle-bpf/waggle/tests/corpus/mapcounter"
	"github.com/waggle-bpf/waggle/tests/corpus/p0f"
	"github.com/waggle-bpf/waggle/tests/corpus/parsepackets"
	"github.com/waggle-bpf/waggle/tests/corpus/patchports"
	"github.com/waggle-bpf/waggle/tests/corpus/percpucounter"
	"github.com/waggle-bpf/waggle/tests/corpus/redirect"
	"github.com/waggle-bpf/waggle/tests/corpus/samplepackets"
	"github.com/waggle-bpf/waggle/tests/corpus/sources"
	"github.com/waggle-bpf/waggle/tests/corpus/tailcalls"
	"github.com/waggle-bpf/waggle/tests/corpus/tailgrow"
	"github.com/waggle-bpf/waggle/tests/corpus/tcpdump"
	"github.com/waggle-bpf/waggle/tests/corpus/vlanparse"
	"github.com/waggle-bpf/waggle/tests/corpus/vlanswap"
	"github.com/waggle-bpf/waggle/tests/corpus/workqueue"
	"github.com/waggle-bpf/waggle/tests/corpus/xdppass"
)

const (
	a4, b4 = "10.0.0.1:40000", "10.0.0.2:80"
	a6, b6 = "[2001:db8::1]:40000", "[2001:db8::2]:80"
)

var (
	macA = packet.MAC{2, 0, 0, 0, 0, 1}
	macB = packet.MAC{2, 0, 0, 0, 0, 2}
	macC = packet.MAC{2, 0, 0, 0, 0, 3}

	tcp4 = bpftest.Packet{Src: a4, Dst: b4, SrcMAC: macA, DstMAC: macB, Payload: "hello"}
	tcp6 = bpftest.Packet{Src: a6, Dst: b6, SrcMAC: macA, DstMAC: macB, Payload: "hello"}
	udp4 = bpftest.Packet{Src: a4, Dst: b4, SrcMAC: macA, DstMAC: macB, Proto: packet.ProtoUDP, Payload: "hello"}
	udp6 = bpftest.Packet{Src: a6, Dst: b6, SrcMAC: macA, DstMAC: macB, Proto: packet.ProtoUDP, Payload: "hello"}
	arp  = bpftest.Data(append(bytes.Repeat([]byte{0xff}, 12), append([]byte{8, 6}, make([]byte, 46)...)...))
)

// samples of all kinds, for programs that have to cope with anything.
var anything = []bpftest.Input{tcp4, tcp6, udp4, udp6, arp, bpftest.Data(make([]byte, 14)), bpftest.Data(make([]byte, 64))}

func twinXDPPass(w *world) {
	for _, in := range anything {
		passes(w, "Pass", xdppass.Pass, in, xdp.Pass)
	}
}

func twinMapCounter(w *world) {
	for range 3 {
		passes(w, "Count", mapcounter.Count, tcp4, xdp.Pass)
	}
	if rec := at(w, "Stats", &mapcounter.Stats, uint32(xdp.Pass)); rec.Packets != 3 {
		w.Errorf("%d packets", rec.Packets)
	}
}

func twinPerCPUCounter(w *world) {
	packets := func(r percpucounter.Record) uint64 { return r.Packets }
	size := func(r percpucounter.Record) uint64 { return r.Bytes }
	for _, p := range []struct {
		name string
		prog func(*xdp.Context) xdp.Action
		want xdp.Action
		n    int
	}{{"Pass", percpucounter.Pass, xdp.Pass, 1}, {"Drop", percpucounter.Drop, xdp.Drop, 2}, {"Abort", percpucounter.Abort, xdp.Aborted, 3}} {
		for range p.n {
			passes(w, p.name, p.prog, udp6, p.want)
		}
		w.equal(p.name+" packets", total(w, "Stats", &percpucounter.Stats, uint32(p.want), packets), uint64(p.n))
		w.equal(p.name+" bytes", total(w, "Stats", &percpucounter.Stats, uint32(p.want), size), uint64(p.n*len(udp6.Bytes())))
	}
}

func twinParsePackets(w *world) {
	zero(w, &parsepackets.Dropped)
	ping4 := bpftest.Packet{Src: a4, Dst: b4, Proto: packet.ProtoICMP, ICMPType: packet.ICMPEcho, ICMPSeq: 2}
	ping6 := bpftest.Packet{Src: a6, Dst: b6, Proto: packet.ProtoICMPv6, ICMPType: packet.ICMPv6Echo, ICMPSeq: 4}
	for _, c := range []struct {
		change func(*bpftest.Packet)
		want   xdp.Action
	}{
		{func(p *bpftest.Packet) {}, xdp.Drop},
		{func(p *bpftest.Packet) { p.ICMPSeq++ }, xdp.Pass},
		{func(p *bpftest.Packet) { p.ICMPType++ }, xdp.Pass},
		{func(p *bpftest.Packet) { p.VLANs = []uint16{5} }, xdp.Drop},
		{func(p *bpftest.Packet) { p.VLANs = []uint16{5, 6, 7, 8} }, xdp.Drop},
		{func(p *bpftest.Packet) { p.VLANs = []uint16{5, 6, 7, 8, 9} }, xdp.Pass},
		{func(p *bpftest.Packet) { p.IPv4Options = make([]byte, 8) }, xdp.Drop},
	} {
		for _, p := range []bpftest.Packet{ping4, ping6} {
			c.change(&p)
			passes(w, "Parse", parsepackets.Parse, p, c.want)
		}
	}
	for _, in := range anything {
		passes(w, "Parse", parsepackets.Parse, in, xdp.Pass)
	}
	w.equal("dropped", value(w, "Dropped", &parsepackets.Dropped), uint64(8))
}

func twinSources(w *world) {
	for i, src := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.1", "10.0.0.1"} {
		passes(w, "Count", sources.Count, bpftest.Packet{Src: src, Dst: "10.0.0.9", Seq: uint32(i)}, xdp.Pass)
	}
	passes(w, "Count", sources.Count, tcp6, xdp.Pass)
	w.equal("10.0.0.1", at(w, "Packets", &sources.Packets, packet.IPv4Addr(10, 0, 0, 1)), uint32(3))
	w.equal("10.0.0.2", at(w, "Packets", &sources.Packets, packet.IPv4Addr(10, 0, 0, 2)), uint32(1))
}

func twinPatchPorts(w *world) {
	for _, in := range []bpftest.Packet{tcp4, tcp6, udp4, udp6} {
		out := in
		out.Dst = in.Dst[:len(in.Dst)-2] + "79"
		changes(w, "Patch", patchports.Patch, in, xdp.Pass, out)
		in.VLANs, out.VLANs = []uint16{7}, []uint16{7}
		changes(w, "Patch", patchports.Patch, in, xdp.Pass, out)
	}
	low, high := udp4, udp4
	low.Dst, high.Dst = "10.0.0.2:0", "10.0.0.2:65535"
	changes(w, "Patch", patchports.Patch, low, xdp.Pass, high)
	passes(w, "Patch", patchports.Patch, arp, xdp.Pass)
}

func twinVLANSwap(w *world) {
	for _, plain := range []bpftest.Packet{tcp4, tcp6, udp4} {
		tagged := plain
		tagged.VLANs = []uint16{1}
		changes(w, "Swap", vlanswap.Swap, plain, xdp.Pass, tagged)
		changes(w, "Swap", vlanswap.Swap, tagged, xdp.Pass, plain)
	}
}

func twinICMPEcho(w *world) {
	zero(w, &icmpecho.Answered)
	for _, c := range []struct {
		proto     packet.Proto
		a, b      string
		ask, tell uint8
	}{
		{packet.ProtoICMP, "10.0.0.1", "10.0.0.2", packet.ICMPEcho, packet.ICMPEchoReply},
		{packet.ProtoICMPv6, "2001:db8::1", "2001:db8::2", packet.ICMPv6Echo, packet.ICMPv6EchoReply},
	} {
		for _, payload := range []string{"", "x", "some payload"} {
			in := bpftest.Packet{Src: c.a, Dst: c.b, SrcMAC: macA, DstMAC: macB, Proto: c.proto, ICMPType: c.ask, ICMPID: 7, ICMPSeq: 9, Payload: payload}
			out := in
			out.Src, out.Dst, out.SrcMAC, out.DstMAC, out.ICMPType = in.Dst, in.Src, in.DstMAC, in.SrcMAC, c.tell
			changes(w, "Echo", icmpecho.Echo, in, xdp.TX, out)
			passes(w, "Echo", icmpecho.Echo, out, xdp.Pass)
		}
	}
	for _, in := range anything {
		passes(w, "Echo", icmpecho.Echo, in, xdp.Pass)
	}
	w.equal("answered", value(w, "Answered", &icmpecho.Answered), uint64(6))
}

// target is what TestRedirect sends to: any interface will do.
const target = 1

func twinRedirect(w *world) {
	out := tcp4
	out.DstMAC = macC
	changes(w, "Redirect", redirect.Redirect, tcp4, xdp.Redirect, out)

	passes(w, "RedirectMap", redirect.RedirectMap, tcp4, xdp.Pass)
	put(w, "Hops", &redirect.Hops, macA, redirect.Hop{Port: 3, MAC: macC})
	changes(w, "RedirectMap", redirect.RedirectMap, tcp4, xdp.Aborted, out)
	if w.k != nil {
		bpftest.SetTarget(w.k, &redirect.Ports, 3, "eth3")
	} else {
		w.put("Ports", uint32(3), uint32(target))
	}
	changes(w, "RedirectMap", redirect.RedirectMap, tcp4, xdp.Redirect, out)
}

// put writes an entry of a map that holds references, in the kernel.
func (w *world) put(name string, key, value any) {
	w.Helper()
	m, err := w.h.Map(name)
	w.must(err)
	w.must(m.Put(key, value))
}

func twinVLANParse(w *world) {
	for _, c := range []struct {
		tags []uint16
		want xdp.Action
	}{
		{nil, xdp.Pass}, {[]uint16{42}, xdp.Drop}, {[]uint16{42, 7}, xdp.Pass}, {[]uint16{1, 2, 42}, xdp.Drop},
		{[]uint16{1, 2, 3, 42}, xdp.Drop}, {[]uint16{1, 2, 3, 4, 42}, xdp.Pass},
	} {
		in := tcp4
		in.VLANs = c.tags
		passes(w, "Filter", vlanparse.Filter, in, c.want)
	}
	for depth, n := range []uint64{1, 1, 1, 1, 2} {
		w.equal("depth", at(w, "Depth", &vlanparse.Depth, uint32(depth)), n)
	}
	short := bpftest.Data(tcp4.Bytes()[:15])
	short[12], short[13] = 0x81, 0
	passes(w, "Filter", vlanparse.Filter, short, xdp.Aborted)
}

func twinAFXDP(w *world) {
	for range 4 {
		passes(w, "Receive", afxdp.Receive, tcp4, xdp.Pass)
	}
	w.equal("packets", total(w, "Packets", &afxdp.Packets, 0, itself[uint32]), uint32(4))
	if w.k != nil {
		bpftest.SetTarget(w.k, &afxdp.Sockets, 0, "socket")
		passes(w, "Receive", afxdp.Receive, tcp4, xdp.Redirect)
		passes(w, "Receive", afxdp.Receive, tcp4, xdp.Pass)
	}
}

func twinSamplePackets(w *world) {
	s := perf(w, "Samples", &samplepackets.Samples)
	long := udp4
	long.Payload = strings.Repeat("0123456789", 10)
	for _, in := range []bpftest.Packet{tcp6, long} {
		passes(w, "Capture", samplepackets.Capture, in, xdp.Pass)
		got := s.samples(1)[0]
		b := in.Bytes()
		n := min(len(b), 100)
		w.equal("sample", got.Value, samplepackets.Sample{Cookie: samplepackets.Cookie, Len: uint16(len(b)), CapLen: uint16(n)})
		if len(got.Packet) < n || !bytes.Equal(got.Packet[:n], b[:n]) {
			w.Errorf("packet (-want +got):\n%s", strings.Join(dump(got.Packet), "\n"))
		}
	}
}

func twinTailGrow(w *world) {
	zero(w, &tailgrow.Seq)
	for i, in := range []bpftest.Input{tcp4, udp6, bpftest.Data(make([]byte, 14))} {
		out := bytes.Clone(in.Bytes())
		out = binary.BigEndian.AppendUint32(out, tailgrow.Magic)
		out = binary.BigEndian.AppendUint32(out, uint32(i+1))
		passes(w, "Shrink", tailgrow.Shrink, in, xdp.Pass)
		changes(w, "Grow", tailgrow.Grow, in, xdp.TX, bpftest.Data(out))
		if len(in.Bytes()) > 14 { // the kernel keeps an Ethernet header
			changes(w, "Shrink", tailgrow.Shrink, bpftest.Data(out), xdp.TX, in)
		}
	}
}

func twinTCPDump(w *world) {
	s := ring(w, "Events", &tcpdump.Events)
	options := tcp6
	options.TCPOptions = bytes.Repeat([]byte{1}, 40)
	short := tcp4
	short.Payload = ""
	for _, in := range []bpftest.Packet{tcp4, options, short} {
		passes(w, "Dump", tcpdump.Dump, in, xdp.Pass)
		got := s.next(1)[0]
		p := packet.Parse(in.Bytes())
		want := tcpdump.Event{Src: p.Src(), Dst: p.Dst(), Len: uint32(p.L7 - p.L4)}
		copy(want.Header[:], in.Bytes()[p.L4:p.L7])
		w.equal("header", got, want)
	}
	passes(w, "Dump", tcpdump.Dump, udp4, xdp.Pass)
}

func twinLoadBalancer(w *world) {
	backends := []loadbalancer.Backend{
		1: {IP: packet.IPv4Addr(10, 1, 0, 1), MAC: macB},
		2: {IP: packet.IPv4Addr(10, 1, 0, 2), MAC: macC},
	}
	names := []string{1: "10.1.0.1:80", 2: "10.1.0.2:80"}
	for i := range backends {
		putAt(w, "Backends", &loadbalancer.Backends, uint32(i), backends[i])
	}
	for i := range uint32(loadbalancer.RingSize) {
		putAt(w, "Ring", &loadbalancer.Ring, i, 1+i/64%2)
	}
	sent := []uint64{1: 0, 2: 0}
	for port := uint16(1000); port < 1020; port++ {
		in := tcp4
		if port%2 == 0 {
			in = udp4
		}
		in.Src = "192.168.7.1:" + itoa(port)
		chosen := int(1 + ringPlace(in)/64%2)
		out := in
		out.Dst, out.SrcMAC, out.DstMAC = names[chosen], macB, backends[chosen].MAC
		changes(w, "Balance", loadbalancer.Balance, in, xdp.TX, out)
		sent[chosen]++
	}
	for i := 1; i <= 2; i++ {
		if got := at(w, "Backends", &loadbalancer.Backends, uint32(i)).Packets; got != sent[i] || got == 0 {
			w.Errorf("backend %d got %d packets, want %d", i, got, sent[i])
		}
	}
	for _, other := range []string{"10.0.0.2:81", "10.0.0.3:80"} {
		in := tcp4
		in.Dst = other
		passes(w, "Balance", loadbalancer.Balance, in, xdp.Pass)
	}
	passes(w, "Balance", loadbalancer.Balance, tcp6, xdp.Pass)
}

// ringPlace is the hash of the load balancer, from its description: FNV-1a over
// addresses, ports, protocol and padding.
func ringPlace(in bpftest.Packet) uint32 {
	p := packet.Parse(in.Bytes())
	key := bytes.Clone(in.Bytes()[p.L3+12 : p.L3+20])
	key = append(key, in.Bytes()[p.L4:p.L4+4]...)
	key = append(key, byte(p.Proto), 0, 0, 0)
	h := uint32(2166136261)
	for _, c := range key {
		h = (h ^ uint32(c)) * 16777619
	}
	return h % loadbalancer.RingSize
}

func twinTailCalls(w *world) {
	zero(w, &tailcalls.TCP)
	zero(w, &tailcalls.UDP)
	zero(w, &tailcalls.Unhandled)
	put := func(proto packet.Proto, name string, handler func(*xdp.Context) xdp.Action) {
		if w.k != nil {
			bpftest.SetProgram(w.k, &tailcalls.Handlers, uint32(proto), handler)
			return
		}
		m, err := load.ProgramMapOf(w.h, "Handlers")
		w.must(err)
		w.must(m.Put(uint32(proto), name))
	}
	if w.k != nil { // what the directives do
		put(packet.ProtoTCP, "HandleTCP", tailcalls.HandleTCP)
		put(packet.ProtoUDP, "HandleUDP", tailcalls.HandleUDP)
	}
	other := tcp4
	other.Proto = 132 // SCTP
	passes(w, "Dispatch", tailcalls.Dispatch, other, xdp.Pass)
	put(other.Proto, "HandleUDP", tailcalls.HandleUDP)
	passes(w, "Dispatch", tailcalls.Dispatch, other, xdp.Drop)
	passes(w, "Dispatch", tailcalls.Dispatch, tcp4, xdp.Pass)
	passes(w, "Dispatch", tailcalls.Dispatch, tcp6, xdp.Pass)
	passes(w, "Dispatch", tailcalls.Dispatch, udp6, xdp.Drop)
	passes(w, "Dispatch", tailcalls.Dispatch, arp, xdp.Pass)
	w.equal("TCP", value(w, "TCP", &tailcalls.TCP), uint64(2))
	w.equal("UDP", value(w, "UDP", &tailcalls.UDP), uint64(2))
	w.equal("unhandled", value(w, "Unhandled", &tailcalls.Unhandled), uint64(1))
}

func twinLPMFirewall(w *world) {
	for _, r := range []struct {
		net     string
		verdict xdp.Action
	}{
		{"10.0.0.0/8", xdp.Drop}, {"10.9.0.0/16", xdp.Pass}, {"2001:db8::/32", xdp.Drop}, {"2001:db8::7/128", xdp.Pass},
	} {
		put(w, "Rules", &lpmfirewall.Rules, packet.MustParsePrefix(r.net), lpmfirewall.Rule{Verdict: r.verdict})
	}
	for _, c := range []struct {
		src, dst string
		want     xdp.Action
	}{
		{"10.0.0.1", "1.1.1.1", xdp.Drop}, {"10.9.3.4", "1.1.1.1", xdp.Pass}, {"11.0.0.1", "1.1.1.1", xdp.Pass},
		{"2001:db8::1", "::1", xdp.Drop}, {"2001:db8::7", "::1", xdp.Pass}, {"2001:db9::1", "::1", xdp.Pass},
	} {
		passes(w, "Filter", lpmfirewall.Filter, bpftest.Packet{Src: c.src, Dst: c.dst}, c.want)
	}
	passes(w, "Filter", lpmfirewall.Filter, arp, xdp.Pass)
	rule := at(w, "Rules", &lpmfirewall.Rules, packet.MustParsePrefix("10.0.0.0/8"))
	w.equal("packets", rule.Packets, uint64(1))
}

func twinP0f(w *world) {
	s := ring(w, "Events", &p0f.Events)
	linux := bpftest.Packet{
		Src: a4, Dst: b4, Flags: packet.SYN, TTL: 63, DontFragment: true, Window: 64240,
		TCPOptions: []byte{2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7},
	}
	none := bpftest.Packet{Src: a6, Dst: b6, Flags: packet.SYN, TTL: 255, Window: 1024}
	nops := none
	nops.TCPOptions = bytes.Repeat([]byte{1}, 40)
	broken := none
	broken.TCPOptions = []byte{1, 2, 1, 1}
	for _, c := range []struct {
		in   bpftest.Packet
		want p0f.Fingerprint
	}{
		{linux, p0f.Fingerprint{
			Src: packet.MustParseAddr("10.0.0.1"), SrcPort: 40000, Window: 64240, MSS: 1460, TTL: 63, Scale: 7,
			DontFrag: true, NumOptions: 5, Options: [10]uint8{2, 4, 8, 1, 3},
		}},
		{none, p0f.Fingerprint{Src: packet.MustParseAddr("2001:db8::1"), SrcPort: 40000, Window: 1024, TTL: 255}},
		{nops, p0f.Fingerprint{
			Src: packet.MustParseAddr("2001:db8::1"), SrcPort: 40000, Window: 1024, TTL: 255,
			NumOptions: 10, Options: [10]uint8{1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
		}},
		{broken, p0f.Fingerprint{
			Src: packet.MustParseAddr("2001:db8::1"), SrcPort: 40000, Window: 1024, TTL: 255,
			NumOptions: 2, Options: [10]uint8{1, 2},
		}},
	} {
		passes(w, "Watch", p0f.Watch, c.in, xdp.Pass)
		w.equal("fingerprint", s.next(1)[0], c.want)
	}
	for _, in := range anything {
		passes(w, "Watch", p0f.Watch, in, xdp.Pass)
	}
	s.next(0)
}

func twinCPUMap(w *world) {
	passes(w, "Spread", cpumap.Spread, tcp4, xdp.Pass)
	if w.k != nil {
		bpftest.SetTarget(w.k, &cpumap.CPUs, 0, "CPU 0")
	} else {
		w.put("CPUs", uint32(0), uint32(192))
	}
	passes(w, "Spread", cpumap.Spread, tcp4, xdp.Redirect)
	passes(w, "Spread", cpumap.Spread, tcp6, xdp.Redirect)
	passes(w, "Spread", cpumap.Spread, arp, xdp.Pass)
}

func twinWorkQueue(w *world) {
	passes(w, "Take", workqueue.Take, udp4, xdp.Drop)
	for _, port := range []uint16{5001, 5002} {
		if w.k != nil {
			workqueue.Ports.Push(port, bpf.Any)
		} else {
			w.put("Ports", nil, port)
		}
	}
	first, second := udp4, udp4
	first.Src, second.Src = "10.0.0.1:5001", "10.0.0.1:5002"
	changes(w, "Take", workqueue.Take, udp4, xdp.TX, first)
	changes(w, "Take", workqueue.Take, udp4, xdp.TX, second)
	passes(w, "Take", workqueue.Take, udp4, xdp.Drop)
	passes(w, "GiveBack", workqueue.GiveBack, tcp4, xdp.Pass)
	changes(w, "Take", workqueue.Take, udp4, xdp.TX, second)
	passes(w, "Take", workqueue.Take, tcp4, xdp.Pass)
}

func twinDHCPRelay(w *world) {
	zero(w, &dhcprelay.Relayed)
	msg := make([]byte, 240, 250)
	msg[0], msg[1], msg[2] = 1, 1, 6 // request, Ethernet
	copy(msg[4:], "\x11\x22\x33\x44")
	copy(msg[28:], macA[:])
	binary.BigEndian.PutUint32(msg[236:], 0x63825363)
	msg = append(msg, 53, 1, 1, 255)
	in := bpftest.Packet{
		Src: "0.0.0.0:68", Dst: "255.255.255.255:67", SrcMAC: macA, DstMAC: packet.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		Proto: packet.ProtoUDP, VLANs: []uint16{100}, Payload: string(msg),
	}
	relayed := bytes.Clone(msg[:240])
	relayed[3] = 1
	copy(relayed[24:], "\x0a\x00\x00\x05")
	relayed = append(relayed, 82, 4, 1, 2, 0, 100)
	relayed = append(relayed, msg[240:]...)
	out := in
	out.Src, out.Dst, out.Payload = "10.0.0.5:68", "10.0.0.9:67", string(relayed)
	b := bpftest.Data(out.Bytes())
	udp := packet.Parse(packet.Bytes(b)).UDP
	udp.Checksum = 0
	changes(w, "Request", dhcprelay.Request, in, xdp.Pass, b)
	w.equal("relayed", value(w, "Relayed", &dhcprelay.Relayed), uint64(1))

	reply := in
	reply.Payload = "\x02" + in.Payload[1:]
	plain := in
	plain.VLANs = nil
	for _, other := range []bpftest.Input{reply, plain, udp4, tcp6} {
		passes(w, "Request", dhcprelay.Request, other, xdp.Pass)
	}
}
