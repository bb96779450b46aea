package httpwatch

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/bpf/bpftest"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/httpwatch/kern"
)

// TestScenes plays one connection each.
func TestScenes(t *testing.T) {
	scenes := []struct {
		name string
		play func(c *wire)
		want []string
	}{
		{"one request", func(c *wire) { c.send(get("/1")) }, []string{"GET /1"}},
		{"keep-alive", func(c *wire) { c.send(get("/1"), get("/2"), get("/3")) }, []string{"GET /1", "GET /2", "GET /3"}},
		{"pipelined", func(c *wire) { c.send(get("/1")+get("/2")+get("/3"), get("/4")) }, []string{"GET /1", "GET /2", "GET /3", "GET /4"}},
		{"byte by byte", func(c *wire) { c.send(inPieces(get("/1")+put("/2", trap(50))+get("/3"), 1)...) }, []string{"GET /1", "PUT /2", "GET /3"}},
		{"segments of 88 bytes", func(c *wire) { c.send(inPieces(get("/1")+put("/2", trap(500))+get("/3"), 88)...) }, []string{"GET /1", "PUT /2", "GET /3"}},
		{"empty line first", func(c *wire) { c.send("\r\n", get("/1")) }, []string{"GET /1"}},
		{"long target", func(c *wire) { c.send(inPieces(get("/"+strings.Repeat("x", 9000)), 1448)...) }, []string{"GET /" + strings.Repeat("x", 9000)}},
		{"body like a request", func(c *wire) { c.send(put("/1", ""), trap(0), put("/2", trap(3000)), get("/3")) }, []string{"PUT /1", "PUT /2", "GET /3"}},
		{"body in packets of its own", func(c *wire) {
			c.send("POST /1 HTTP/1.1\r\nContent-Length: 102\r\nExpect: 100-continue\r\n\r\n", trap(34), trap(34), trap(34), get("/2"))
		}, []string{"POST /1", "GET /2"}},
		{"chunks in packets of their own", func(c *wire) {
			c.send("POST /1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "22\r\n"+trap(34)+"\r\n", "22\r\n", trap(34), "\r\n0\r\n", "Trailer: x\r\n\r\n", get("/2"))
		}, []string{"POST /1", "GET /2"}},
		{"connect refused", func(c *wire) {
			c.send("CONNECT a:443 HTTP/1.1\r\n\r\n")
			c.reverse().send("HTTP/1.1 405 Not Allowed\r\n\r\n")
			c.send(get("/2"))
		}, []string{"CONNECT a:443", "GET /2"}},
		{"connect accepted", func(c *wire) {
			c.send("CONNECT a:80 HTTP/1.1\r\n\r\n")
			c.reverse().send("HTTP/1.1 200 Connection established\r\n\r\n")
			c.send(get("/inside"), get("/inside"))
		}, []string{"CONNECT a:80"}},
		{"upgrade ignored", func(c *wire) {
			c.send("GET /1 HTTP/1.1\r\nUpgrade: h2c\r\n\r\n")
			c.reverse().send("HTTP/1.1 200 OK\r\n\r\n")
			c.send(get("/2"))
		}, []string{"GET /1", "GET /2"}},
		{"upgrade accepted", func(c *wire) {
			c.send("GET /1 HTTP/1.1\r\nUpgrade: websocket\r\n\r\n")
			c.reverse().send("HTTP/1.1 101 Switching Protocols\r\n\r\n")
			c.send(get("/inside"))
		}, []string{"GET /1"}},
		{"upgrade accepted unseen", func(c *wire) {
			c.send("GET /1 HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", "\x81\x85abcd01234", get("/inside"))
		}, []string{"GET /1"}},
		{"http/2", func(c *wire) { c.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", get("/2")) }, nil},
		{"ssh", func(c *wire) { c.send("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n", get("/2")) }, nil},
		{"tls", func(c *wire) { c.send("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", get("/2")) }, nil},
		{"retransmitted", func(c *wire) {
			c.send(get("/1"))
			c.r.packet(c.at(1001, get("/1")))
			c.send(get("/2"))
			c.r.packet(c.at(1001, get("/1")+get("/2")))
			c.r.packet(c.at(1001, get("/1")+get("/2")+get("/3")))
		}, []string{"GET /1", "GET /2", "GET /3"}},
		{"out of order", func(c *wire) {
			s := get("/1") + get("/2") + get("/3")
			for _, i := range []int{2, 0, 3, 1} {
				c.r.packet(c.at(c.seq+uint32(i*50), s[i*50:min(len(s), i*50+50)]))
			}
		}, []string{"GET /1", "GET /2", "GET /3"}},
		{"not HTTP, out of order", func(c *wire) {
			first, second := "SSH-2.0-x\r\n", get("/inside")
			c.r.packet(c.at(c.seq+uint32(len(first)), second))
			c.send(first, second, get("/inside"))
			c.r.w.finish()
		}, nil},
		{"its beginning on another way", func(c *wire) {
			c.seq += 2 << 20
			c.send("...", get("/2"), get("/3"))
		}, []string{"GET /2", "GET /3"}},
		{"keep-alive probe", func(c *wire) {
			c.r.packet(c.at(c.seq-1, "\x00"))
			c.send(get("/1"))
			c.r.packet(c.at(c.seq-1, "\x00"))
			c.send(get("/2"))
		}, []string{"GET /1", "GET /2"}},
		{"reused address", func(c *wire) {
			c.send(get("/1"), "GET /unfinished HTTP")
			c.seq = 77_000_000
			c.syn()
			c.send(get("/2"))
			c.seq = 100 // behind the old ones
			c.syn()
			c.send(get("/3"))
		}, []string{"GET /1", "GET /2", "GET /3"}},
		{"data with the SYN", func(c *wire) {
			p := c.at(50_000, get("/1"))
			p.Flags = packet.SYN
			c.r.packet(p)
			c.seq = 50_001 + uint32(len(p.Payload))
			c.send(get("/2"))
		}, []string{"GET /1", "GET /2"}},
		{"sequence numbers wrap", func(c *wire) {
			c.seq = 0xffffffff - 20
			c.syn()
			c.send(inPieces(get("/1")+get("/2"), 11)...)
		}, []string{"GET /1", "GET /2"}},
	}
	for _, scene := range scenes {
		t.Run(scene.name, func(t *testing.T) {
			r := newRig(t)
			scene.play(r.connect())
			r.want(scene.want...)
			if r.w.summary.Lost.Any() {
				t.Errorf("lost %+v", r.w.summary.Lost)
			}
		})
	}
}

// TestEveryPacketTwice plays the loopback device: what goes out comes in.
func TestEveryPacketTwice(t *testing.T) {
	r := newRig(t)
	c := r.connect()
	for _, s := range inPieces(get("/1")+put("/2", trap(5000))+get("/3"), 100) {
		p := c.at(c.seq, s)
		r.packet(p)
		r.packet(p)
		c.seq += uint32(len(s))
	}
	r.want("GET /1", "PUT /2", "GET /3")
	if got := kern.Traffic.Lookup(0); got.Duplicates == 0 || got.Sent != got.Bytes/2 {
		t.Errorf("the copies were not left out in the kernel: %+v", *got)
	}
}

// TestAttachLate begins to look when connections are there already.
func TestAttachLate(t *testing.T) {
	scenes := []struct {
		name   string
		pieces []string
		want   []string
	}{
		{"between requests", []string{get("/1"), get("/2")}, []string{"GET /1", "GET /2"}},
		{"between pipelined ones", []string{get("/1") + get("/2"), get("/3")}, []string{"GET /1", "GET /2", "GET /3"}},
		{"in a head", []string{"pt: */*\r\n\r\n", get("/2")}, []string{"GET /2"}},
		{"in a body", []string{"{\"a\": 1}", "more\r\n", strings.Repeat("QUJD", 100), get("/2")}, []string{"GET /2"}},
		{"in words", []string{"some words, ", get("/2"), "more of them\n", get("/3")}, []string{"GET /2", "GET /3"}},
		{"split afterwards", []string{"\x00\x01", "GET /1 HT", "TP/1.1\r\n\r\n" + get("/2")}, []string{"GET /1", "GET /2"}},
		{"binary", []string{"\x17\x03\x03\x00\x10abcdef", "\x17\x03\x03"}, nil},
		{"smtp", slices.Repeat([]string{"MAIL FROM:<a@b>\r\n", "RCPT TO:<c@d>\r\n"}, 10), nil},
	}
	for _, scene := range scenes {
		t.Run(scene.name, func(t *testing.T) {
			r := newRig(t)
			r.attached().send(scene.pieces...)
			r.want(scene.want...)
		})
	}
}

// TestShapes sends requests in every shape of packet.
func TestShapes(t *testing.T) {
	v6 := func(p *bpftest.Packet) { p.Src, p.Dst = "[fd00::1]:40000", "[fd00::2]:80" }
	shapes := []struct {
		name  string
		shape func(p *bpftest.Packet)
	}{
		{"plain", func(p *bpftest.Packet) {}},
		{"padded", func(p *bpftest.Packet) { p.Pad = 18 }},
		{"vlan", func(p *bpftest.Packet) { p.VLANs = []uint16{7} }},
		{"qinq", func(p *bpftest.Packet) { p.VLANs = []uint16{7, 8} }},
		{"ipv4 options", func(p *bpftest.Packet) { p.IPv4Options = make([]byte, 40) }},
		{"tcp options", func(p *bpftest.Packet) { p.TCPOptions = make([]byte, 40) }},
		{"ipv6", v6},
		{"ipv6 in qinq", func(p *bpftest.Packet) { v6(p); p.VLANs = []uint16{7, 8} }},
		{"ipv6 extensions", func(p *bpftest.Packet) {
			v6(p)
			p.IPv6Headers = []bpftest.Extension{
				{Proto: packet.ProtoHopByHop, Data: make([]byte, 7)},
				{Proto: packet.ProtoDestOpts, Data: append([]byte{1}, make([]byte, 14)...)},
				{Proto: packet.ProtoRouting, Data: make([]byte, 7)},
			}
		}},
	}
	r := newRig(t)
	for _, shape := range shapes {
		t.Run(shape.name, func(t *testing.T) {
			for _, reach := range []int{0, 14, 34, 54, 100} {
				r.restart(t)
				c := r.attached()
				shape.shape(&c.packet)
				s := get("/1") + put("/2", trap(300)) + get("/3")
				for _, piece := range inPieces(s, 70) {
					r.packet(bpftest.Linear(c.at(c.seq, piece), reach))
					c.seq += uint32(len(piece))
				}
				r.want("GET /1", "PUT /2", "GET /3")
			}
		})
	}
}

// TestInterfaceWithoutEthernet uses the program for tunnels.
func TestInterfaceWithoutEthernet(t *testing.T) {
	r := newRig(t)
	r.prog = kern.WatchIP
	for _, addr := range [][2]string{{"10.0.0.1:40000", "10.0.0.2:80"}, {"[fd00::1]:40000", "[fd00::2]:80"}} {
		c := r.attached()
		c.packet.Src, c.packet.Dst, c.packet.NoEthernet = addr[0], addr[1], true
		c.send(inPieces(get("/1")+get("/2"), 50)...)
		r.want("GET /1", "GET /2")
		if got := r.last.Src.String() + " " + r.last.Dst.String(); got != addr[0]+" "+addr[1] {
			t.Errorf("from %s", got)
		}
	}
}

// TestSuperPackets sends packets of up to 64 KiB, and one that is beyond that and
// doesn't say how long it is.
func TestSuperPackets(t *testing.T) {
	r := newRig(t)
	var b strings.Builder
	var want []string
	for b.Len() < 300_000 {
		target := "/" + strings.Repeat("x", b.Len()%5000)
		b.WriteString(get(target))
		want = append(want, "GET "+target)
	}
	c := r.connect()
	pieces := inPieces(b.String(), 65_000)
	c.send(pieces...)
	r.want(want...)

	big := c.at(c.seq, "").Bytes()
	binary.BigEndian.PutUint16(big[16:], 0) // the IPv4 total length
	r.packet(bpftest.Linear(bpftest.Data(append(big, b.String()...)), len(big)))
	r.want(want...)
}

func TestPortFilter(t *testing.T) {
	kern.Port = 80
	defer func() { kern.Port = 0 }()
	r := newRig(t)
	c := r.connect()
	c.send("CONNECT a:80 HTTP/1.1\r\n\r\n")
	c.reverse().send("HTTP/1.1 200 Connection established\r\n\r\n")
	c.send(get("/inside"))
	other := r.attached()
	other.packet.Dst = "10.0.0.2:81"
	other.send(get("/other"))
	r.want("CONNECT a:80")
}

func TestRequestFields(t *testing.T) {
	r := newRig(t)
	r.w.boot = time.Unix(1000, 0)
	c := r.connect()
	c.send("GET /1 HTTP/1.0\r\n")
	r.k.Advance(time.Second)
	c.send("Host: h:81\r\n\r\n")
	q := r.last
	if string(q.Host) != "h:81" || q.Proto != "HTTP/1.0" || q.Src.String() != clientAddr || q.Dst.String() != serverAddr {
		t.Errorf("request %+v", q)
	}
	if got := uint64(q.Time.Sub(time.Unix(1000, 0))); got >= r.k.Now() || got+uint64(2*time.Second) < r.k.Now() {
		t.Errorf("time %v, it is %d now", q.Time, r.k.Now())
	}
	if s := r.w.summary; s.Requests != 1 || s.Connections != 1 {
		t.Errorf("summary %+v", s)
	}
}

// TestUploads wants bodies to be left out in the kernel.
func TestUploads(t *testing.T) {
	const size = 3_000_000
	tests := []struct{ name, head, tail string }{
		{"length", "PUT /1 HTTP/1.1\r\nContent-Length: 3000000\r\n\r\n", ""},
		{"chunk", "PUT /1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2dc6c0\r\n", "\r\n0\r\n\r\n"},
	}
	r := newRig(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r.restart(t)
			c := r.connect()
			c.send(test.head)
			c.send(inPieces(trap(size), 60_000)...)
			c.send(test.tail+get("/2"), get("/3"))
			r.want("PUT /1", "GET /2", "GET /3")
			if r.sent > 200_000 {
				t.Errorf("%d bytes were sent to user space", r.sent)
			}
		})
	}
}

// TestUploadEndsInPacket has the next request in the packet of the body's end.
func TestUploadEndsInPacket(t *testing.T) {
	r := newRig(t)
	c := r.connect()
	pieces := inPieces(put("/1", trap(1_000_000))+get("/2")+get("/3"), 40_000)
	c.send(pieces...)
	r.want("PUT /1", "GET /2", "GET /3")
	last := pieces[len(pieces)-1]
	before := r.sent
	r.packet(c.at(c.seq-uint32(len(last)), last))
	if r.sent != before {
		t.Error("the last packet was sent to user space again")
	}
}

// TestIgnored wants a connection that isn't HTTP to cost nothing.
func TestIgnored(t *testing.T) {
	r := newRig(t)
	for _, first := range []string{"\x16\x03\x01", "SSH-2.0-x\r\n", "EHLO me\r\n", strings.Repeat("A", 40)} {
		r.restart(t)
		c := r.connect()
		c.send(first)
		before := r.sent
		c.send(slices.Repeat([]string{trap(1000)}, 100)...)
		again := r.attached() // a SYN that comes late
		again.syn()
		c.send(slices.Repeat([]string{trap(1000)}, 100)...)
		if r.sent > before {
			t.Errorf("%q: %d bytes were sent to user space", first, r.sent-before)
		}
		r.want()
	}
}

// TestChatter wants a connection that keeps looking like HTTP to be given up.
func TestChatter(t *testing.T) {
	r := newRig(t)
	r.attached().send(slices.Repeat([]string{"MAIL FROM:<a@b>\r\n", "RCPT TO:<c@d>\r\n"}, 100)...)
	r.want()
	if r.sent > 500 {
		t.Errorf("%d bytes were sent to user space", r.sent)
	}
}
