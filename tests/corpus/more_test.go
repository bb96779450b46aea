package corpus

import (
	"encoding/binary"
	"net"
	"strings"
	"time"

	"github.com/waggle-bpf/waggle/bpf/bpftest"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/tc"
	"github.com/waggle-bpf/waggle/bpf/xdp"
	"github.com/waggle-bpf/waggle/load"
	"github.com/waggle-bpf/waggle/tests/corpus/dnsblock"
	"github.com/waggle-bpf/waggle/tests/corpus/keycount"
	"github.com/waggle-bpf/waggle/tests/corpus/nat64"
	"github.com/waggle-bpf/waggle/tests/corpus/pktloop"
	"github.com/waggle-bpf/waggle/tests/corpus/pping"
	"github.com/waggle-bpf/waggle/tests/corpus/skverdict"
	"github.com/waggle-bpf/waggle/tests/corpus/socklife"
	"github.com/waggle-bpf/waggle/tests/corpus/tcmirror"
	"github.com/waggle-bpf/waggle/tests/corpus/tlssni"
	"github.com/waggle-bpf/waggle/tests/corpus/xdpmeta"
)

// twinNAT64 works in the kernel only: changing a packet's protocol has no native
// model.
func twinNAT64(w *world) {
	if w.k != nil {
		passes(w, "To4", nat64.To4, tcp6, tc.OK)
		passes(w, "To6", nat64.To6, tcp4, tc.OK)
		return
	}
	put(w, "Allowed", &nat64.Allowed, packet.MustParsePrefix("2001:db8:1::/48"), 1)
	w.put("Pool", nil, packet.IPv4Addr(192, 0, 2, 1))
	const host, stranger, server = "[2001:db8:1::5]:40000", "[2001:db8:2::5]:40000", "[64:ff9b::a09:807]:80"
	for _, proto := range []packet.Proto{packet.ProtoTCP, packet.ProtoUDP} {
		in := bpftest.Packet{
			Src: host, Dst: server, SrcMAC: macA, DstMAC: macB, Proto: proto, TOS: 0x28, TTL: 60, Payload: "a question",
		}
		out := in
		out.Src, out.Dst, out.DontFragment = "192.0.2.1:40000", "10.9.8.7:80", true
		changes(w, "To4", nat64.To4, in, tc.OK, out)

		in.Src, in.Dst, in.Payload = server, host, "the answer"
		out.Src, out.Dst, out.Payload = out.Dst, out.Src, in.Payload
		changes(w, "To6", nat64.To6, out, tc.OK, in)

		in.Src, in.Dst = stranger, server
		passes(w, "To4", nat64.To4, in, tc.Drop)
		in.Src, in.Dst = "[2001:db8:1::6]:40000", server // the pool is empty
		passes(w, "To4", nat64.To4, in, tc.Drop)
	}
	w.equal("translated", value(w, "Translated", &nat64.Translated), uint64(4))
	w.equal("refused", value(w, "Refused", &nat64.Refused), uint64(4))
	passes(w, "To4", nat64.To4, tcp6, tc.OK)
	passes(w, "To6", nat64.To6, tcp4, tc.OK)
}

// stamps makes the TCP option with two time stamps.
func stamps(val, ecr uint32) []byte {
	b := []byte{1, 1, 8, 10}
	b = binary.BigEndian.AppendUint32(b, val)
	return binary.BigEndian.AppendUint32(b, ecr)
}

func twinPPing(w *world) {
	s := perf(w, "Events", &pping.Events)
	for _, out := range []bpftest.Packet{tcp4, tcp6} {
		in := out
		in.Src, in.Dst = out.Dst, out.Src
		flow := pping.Flow{SrcPort: packet.Port(40000), DstPort: packet.Port(80)}
		p := packet.Parse(out.Bytes())
		flow.Src, flow.Dst = p.Src(), p.Dst()

		out.TCPOptions = stamps(100, 7)
		passes(w, "Egress", pping.Egress, out, tc.Next)
		passes(w, "Egress", pping.Egress, out, tc.Next) // again
		if w.k != nil {
			w.k.Advance(5 * time.Millisecond)
		}
		in.Payload, in.TCPOptions = "", stamps(8, 99)
		passes(w, "Ingress", pping.Ingress, in, tc.Next) // an old stamp
		in.TCPOptions = stamps(8, 100)
		passes(w, "Ingress", pping.Ingress, in, tc.Next)
		passes(w, "Ingress", pping.Ingress, in, tc.Next) // again
		e := s.next(1)[0]
		w.equal("flow", e.Flow, flow)
		w.equal("minimum", e.MinRTT, e.RTT)
		w.equal("opened", e.Opened, false)
		if e.RTT == 0 || e.RTT > uint64(time.Minute) || w.k != nil && e.RTT != 5e6 {
			w.Errorf("round trip of %d ns", e.RTT)
		}
		state := at(w, "Flows", &pping.Flows, flow)
		w.equal("packets", state.Packets, uint64(2))
		w.equal("bytes", state.Bytes, uint64(2*len(out.Payload)))

		out.Flags, out.Payload = packet.RST, ""
		passes(w, "Egress", pping.Egress, out, tc.Next)
		if _, ok := get(w, "Flows", &pping.Flows, flow); ok {
			w.Error("the flow is still there after a reset")
		}
	}
	for _, in := range anything {
		passes(w, "Egress", pping.Egress, in, tc.Next)
	}
	if w.k != nil {
		s.next(0)
	}
}

func twinXDPMeta(w *world) {
	zero(w, &xdpmeta.Unmarked)
	passes(w, "Act", xdpmeta.Act, tcp4, tc.Next)
	w.equal("unmarked", value(w, "Unmarked", &xdpmeta.Unmarked), uint64(1))
	if w.k == nil {
		return // the kernel's test run gives back no metadata
	}
	for in, want := range map[bpftest.Input]xdpmeta.Class{&tcp4: xdpmeta.Bulk, &udp6: xdpmeta.Datagram, &bpftest.Packet{Src: a4, Dst: b4}: xdpmeta.Control} {
		r := w.k.XDP(xdpmeta.Classify, in)
		w.equal("note", binary.LittleEndian.Uint32(r.Meta[4:]), uint32(want))
	}
}

func liveXDPMeta(w *world) {
	_, err := w.h.Attach("Act", load.Target{Interfaces: []string{"lo"}})
	w.must(err)
	_, err = w.h.Attach("Classify", load.Target{Interfaces: []string{"lo"}, XDP: load.XDPGeneric})
	w.must(err)
	w.talk("127.0.0.1:0", "hello")
	c, err := net.Dial("udp", "127.0.0.1:9")
	w.must(err)
	defer c.Close()
	_, err = c.Write([]byte("hello"))
	w.must(err)
	w.eventually("all packets of a connection and a datagram are seen", func() bool {
		seen := value(w, "Seen", &xdpmeta.Seen)
		return seen[xdpmeta.Bulk] >= 2 && seen[xdpmeta.Control] >= 4 && seen[xdpmeta.Datagram] == 1
	})
	w.equal("unmarked", value(w, "Unmarked", &xdpmeta.Unmarked), uint64(0))
}

func twinTCMirror(w *world) {
	zero(w, &tcmirror.Mirrored)
	zero(w, &tcmirror.Failed)
	for _, in := range []bpftest.Input{tcp4, udp4, tcp6, arp} {
		passes(w, "Mirror", tcmirror.Mirror, in, tc.Next)
	}
	w.equal("mirrored", value(w, "Mirrored", &tcmirror.Mirrored), uint64(2))
	w.equal("failed", value(w, "Failed", &tcmirror.Failed), uint64(0))
	if w.k != nil {
		r := w.k.TC(tcmirror.Mirror, tcp4)
		tagged := tcp4
		tagged.VLANs = []uint16{100}
		w.equal("copies", len(r.Clones), 1)
		w.equal("copy", dump(r.Clones[0].Data), dump(tagged.Bytes()))
	}
}

func liveSkVerdict(w *world) {
	_, err := w.h.AttachAll(load.Targets{})
	w.must(err)
	l := w.listen("127.0.0.1:0")
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	w.must(err)
	defer c.Close()
	server, err := l.Accept()
	w.must(err)
	defer server.Close()
	m, err := load.SocketMapOf[uint32](w.h, "Sockets")
	w.must(err)
	w.must(m.Put(0, server.(*net.TCPConn)))
	w.must(server.SetReadDeadline(time.Now().Add(patience)))
	buf := make([]byte, 100)
	for _, message := range []string{"hello", "SECRET message", "good bye"} {
		_, err = c.Write([]byte(message))
		w.must(err)
		if strings.HasPrefix(message, "SECRET") {
			w.eventually("the message is dropped", func() bool { return value(w, "Dropped", &skverdict.Dropped) == 1 })
			continue
		}
		n, err := server.Read(buf)
		w.must(err)
		w.equal("message", string(buf[:n]), message)
	}
	w.equal("passed", value(w, "Passed", &skverdict.Passed), uint64(2))
}

func liveSockLife(w *world) {
	w.inCgroup()
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	w.must(err)
	port := uint32(c.LocalAddr().(*net.UDPAddr).Port)
	w.equal("port", value(w, "LastPortBound", &socklife.LastPortBound), port)
	_, err = c.WriteTo([]byte("hello"), c.LocalAddr())
	w.must(err)
	if _, err = c.WriteTo([]byte("hello"), &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 9}); !refused(err) {
		w.Errorf("send elsewhere: %v", err)
	}
	w.must(c.Close())
	if _, err = net.ListenPacket("udp4", "127.0.0.1:9"); !refused(err) {
		w.Errorf("bind a low port: %v", err)
	}
	for phase, want := range []uint64{socklife.Created: 2, socklife.BindAsked: 2, socklife.Bound: 1, socklife.Sent: 2, socklife.Released: 2} {
		if n := total(w, "Counts", &socklife.Counts, uint32(phase), itself[uint64]); n < want {
			w.Errorf("%d sockets reached phase %d, want at least %d", n, phase, want)
		}
	}
	w.equal("refused", value(w, "Refused", &socklife.Refused), [socklife.NumPhases]uint64{socklife.BindAsked: 1, socklife.Sent: 1})
}

func twinKeyCount(w *world) {
	big := tcp6
	big.Payload = strings.Repeat("x", 1000)
	big.VLANs = []uint16{5}
	for _, in := range []bpftest.Packet{tcp4, tcp4, big, udp6} {
		passes(w, "See", keycount.See, in, xdp.Pass)
	}
	passes(w, "See", keycount.See, arp, xdp.Pass)
	a, b := packet.MustParseAddr("2001:db8::1"), packet.MustParseAddr("2001:db8::2")
	for _, c := range []struct {
		key  keycount.Key
		want keycount.Count
	}{
		{
			keycount.Key{Ends: [2]keycount.End{{Addr: packet.MustParseAddr("10.0.0.1"), Port: 40000}, {Addr: packet.MustParseAddr("10.0.0.2"), Port: 80}}, Proto: packet.ProtoTCP},
			keycount.Count{Packets: 2, Bytes: 2 * uint64(len(tcp4.Bytes()))},
		},
		{
			keycount.Key{Ends: [2]keycount.End{{Addr: a, Port: 40000}, {Addr: b, Port: 80}}, Proto: packet.ProtoTCP, VLAN: true, Size: keycount.Large},
			keycount.Count{Packets: 1, Bytes: uint64(len(big.Bytes()))},
		},
		{
			keycount.Key{Ends: [2]keycount.End{{Addr: a, Port: 40000}, {Addr: b, Port: 80}}, Proto: packet.ProtoUDP},
			keycount.Count{Packets: 1, Bytes: uint64(len(udp6.Bytes()))},
		},
	} {
		w.equal("count", perCPU(w, "ByKey", &keycount.ByKey, c.key), c.want)
	}
	w.equal("source", perCPU(w, "ByAddr", &keycount.ByAddr, a).Packets, uint64(2))
}

// perCPU adds up an entry of a per-CPU hash table.
func perCPU[K comparable](w *world, name string, m interface {
	Lookup(K) *keycount.Count
}, key K) (sum keycount.Count) {
	w.Helper()
	if w.k != nil {
		if c := m.Lookup(key); c != nil { // tests run on one CPU
			sum = *c
		}
		return sum
	}
	km, err := load.PerCPUMapOf[K, keycount.Count](w.h, name)
	w.must(err)
	all, err := km.Get(key)
	w.must(err)
	for _, c := range all {
		sum.Packets += c.Packets
		sum.Bytes += c.Bytes
	}
	return sum
}

// query makes a DNS query for a name in wire format.
func query(name string) string {
	return "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + name + "\x00\x01\x00\x01"
}

func twinDNSBlock(w *world) {
	zero(w, &dnsblock.Malformed)
	domain := func(text string) (d dnsblock.Domain) { // "example.com."
		d.Bits = uint32(8 * len(text))
		for i := range len(text) - 1 {
			d.Name[i] = text[len(text)-2-i]
		}
		d.Name[len(text)-1] = '.'
		return d
	}
	put(w, "Blocked", &dnsblock.Blocked, domain("example.com."), 0)
	put(w, "Blocked", &dnsblock.Blocked, domain("a.b.test."), 0)
	long := "\x3f" + strings.Repeat("x", 63)
	for _, c := range []struct {
		name string
		want xdp.Action
	}{
		{"\x07example\x03com\x00", xdp.Drop},
		{"\x07ExAmple\x03COM\x00", xdp.Drop},
		{"\x03www\x07example\x03com\x00", xdp.Drop},
		{"\x0awwwexample\x03com\x00", xdp.Pass},
		{"\x07example\x03org\x00", xdp.Pass},
		{"\x03com\x00", xdp.Pass},
		{"\x01a\x01b\x04test\x00", xdp.Drop},
		{"\x01b\x04test\x00", xdp.Pass},
		{"\x00", xdp.Pass},
		{long, xdp.Pass},
		{"\x03www\xc0\x0c", xdp.Pass},
	} {
		for _, in := range []bpftest.Packet{udp4, udp6} {
			in.Dst = in.Dst[:len(in.Dst)-2] + "53"
			in.Payload = query(c.name)
			passes(w, "Filter", dnsblock.Filter, in, c.want)
			in.Payload = "\x12\x34\x81" + in.Payload[3:] // a response
			passes(w, "Filter", dnsblock.Filter, in, xdp.Pass)
		}
	}
	w.equal("malformed", value(w, "Malformed", &dnsblock.Malformed), uint64(6))
	w.equal("hits", at(w, "Blocked", &dnsblock.Blocked, domain("example.com.")), uint64(6))
	for _, in := range anything {
		passes(w, "Filter", dnsblock.Filter, in, xdp.Pass)
	}
}

// hello makes the first message of a TLS client.
func hello(session int, extensions ...string) string {
	body := "\x03\x03" + strings.Repeat("r", 32) + string(rune(session)) + strings.Repeat("s", session) +
		"\x00\x04\x13\x01\x13\x02" + "\x01\x00"
	all := strings.Join(extensions, "")
	body += string([]byte{byte(len(all) >> 8), byte(len(all))}) + all
	return "\x16\x03\x01\x00\x00\x01\x00" + string([]byte{byte(len(body) >> 8), byte(len(body))}) + body
}

func extension(kind byte, data string) string {
	return string([]byte{0, kind, byte(len(data) >> 8), byte(len(data))}) + data
}

func serverName(name string) string {
	n := len(name)
	return extension(0, string([]byte{0, byte(n + 3), 0, 0, byte(n)})+name)
}

func twinTLSSNI(w *world) {
	s := ring(w, "Events", &tlssni.Events)
	other := extension(10, "\x00\x02\x00\x17")
	for _, c := range []struct {
		payload, name string
	}{
		{hello(0, serverName("example.com")), "example.com"},
		{hello(32, other, extension(43, ""), serverName("www.example.com"), other), "www.example.com"},
		{hello(32, serverName(strings.Repeat("x", 80))), strings.Repeat("x", 80)},
		{hello(0, other), ""},
		{hello(0), ""},
		{hello(0, serverName("cut.off"))[:60], ""},
		{"\x17\x03\x03 some data", ""},
		{"", ""},
	} {
		for _, in := range []bpftest.Packet{tcp4, tcp6} {
			in.Payload = c.payload
			passes(w, "Watch", tlssni.Watch, in, tc.Next)
			if c.name == "" {
				continue
			}
			e := s.next(1)[0]
			p := packet.Parse(in.Bytes())
			want := tlssni.Event{Src: p.Src(), Dst: p.Dst(), DstPort: 80, Len: uint16(len(c.name))}
			copy(want.Name[:], c.name)
			w.equal("event", e, want)
		}
	}
	for _, in := range anything {
		passes(w, "Watch", tlssni.Watch, in, tc.Next)
	}
	if w.k != nil {
		s.next(0)
	}
}

func twinPktLoop(w *world) {
	zero(w, &pktloop.Dropped)
	zero(w, &pktloop.Epoch)
	for _, in := range []bpftest.Input{tcp4, udp6, arp, bpftest.Data(make([]byte, 14))} {
		passes(w, "Ingress", pktloop.Ingress, in, tc.Next)
		passes(w, "Egress", pktloop.Egress, in, tc.Next)
		passes(w, "Ingress", pktloop.Ingress, in, tc.Drop)
	}
	changed := tcp4
	changed.Seq++
	passes(w, "Ingress", pktloop.Ingress, changed, tc.Next)
	w.equal("dropped", value(w, "Dropped", &pktloop.Dropped), uint64(4))
	setValue(w, "Epoch", &pktloop.Epoch, 1)
	passes(w, "Ingress", pktloop.Ingress, tcp4, tc.Next)
}
