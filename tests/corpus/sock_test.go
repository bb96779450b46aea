package corpus

import (
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/bpftest"
	"github.com/waggle-bpf/waggle/bpf/cgroup"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/sk"
	"github.com/waggle-bpf/waggle/load"
	"github.com/waggle-bpf/waggle/tests/corpus/cgroupguard"
	"github.com/waggle-bpf/waggle/tests/corpus/httpfilter"
	"github.com/waggle-bpf/waggle/tests/corpus/servicenat"
	"github.com/waggle-bpf/waggle/tests/corpus/sklookup"
	"github.com/waggle-bpf/waggle/tests/corpus/skskbecho"
	"github.com/waggle-bpf/waggle/tests/corpus/skstorage"
	"github.com/waggle-bpf/waggle/tests/corpus/sockfilter"
	"github.com/waggle-bpf/waggle/tests/corpus/sockredirect"
	"github.com/waggle-bpf/waggle/tests/corpus/tcprtt"
)

func liveHTTPFilter(w *world) {
	s := ring(w, "Events", &httpfilter.Events)
	_, err := w.h.Attach("Filter", load.Target{Interfaces: []string{"lo"}})
	w.must(err)
	long := "POST /" + strings.Repeat("x", 200)
	w.talk("127.0.0.1:0", "nothing special")
	w.talk("127.0.0.1:0", "GET / HTTP/1.1\r\n\r\n")
	c := w.talk("127.0.0.1:0", long)
	w.talk("127.0.0.1:0", "GET /1") // too short
	short := s.find("a GET", func(*httpfilter.Event) bool { return true })
	w.equal("payload", string(short.Payload[:short.PayloadLen]), "GET / HTTP/1.1\r\n\r\n")
	w.equal("interface", short.IfIndex, uint32(1))
	big := s.find("a POST", func(e *httpfilter.Event) bool { return e.DstPort == packet.Port(uint16(c.server.Port)) })
	w.equal("payload length", big.PayloadLen, uint32(len(long)))
	w.equal("payload", string(big.Payload[:]), long[:httpfilter.MaxPayload])
	w.equal("address", big.DstIP, packet.IPv4Addr(127, 0, 0, 1))
	w.equal("port", big.SrcPort, packet.Port(uint16(c.client.Port)))
}

// nativeHTTPFilter and its kin run only natively, because the kernel's test run
// takes the Ethernet header off.
func twinHTTPFilter(w *world) {
	if w.k == nil {
		return
	}
	for _, c := range []struct {
		payload string
		options int
		events  int
	}{
		{"GET / HTTP/1.1\r\n", 0, 1}, {"HTTP/1.1 200 OK\r\n", 8, 1}, {"hello, world", 0, 0}, {"GET /1", 0, 0}, {"DELETE /", 40, 1},
	} {
		in := tcp4
		in.Payload, in.IPv4Options = c.payload, make([]byte, c.options)
		r := w.k.Filter(httpfilter.Filter, in)
		w.equal("verdict", r.Verdict, sk.KeepNone)
		events := bpftest.Events(w.k, &httpfilter.Events)
		if len(events) != c.events || c.events == 1 && !strings.HasPrefix(string(events[0].Payload[:]), c.payload) {
			w.Errorf("%q: events %v", c.payload, events)
		}
	}
}

func liveSockFilter(w *world) {
	s := ring(w, "Events", &sockfilter.Events)
	_, err := w.h.Attach("Report", load.Target{Interfaces: []string{"lo"}})
	w.must(err)
	c := w.talk("127.0.0.1:0", "hello")
	src, dst := packet.Port(uint16(c.client.Port)), packet.Port(uint16(c.server.Port))
	ports := uint32(src) | uint32(dst)<<16
	e := s.find("a packet", func(e *sockfilter.Event) bool { return e.Ports == ports })
	e.PacketType = 0
	ip := packet.IPv4Addr(127, 0, 0, 1)
	w.equal("event", e, sockfilter.Event{SrcIP: ip, DstIP: ip, Ports: ports, Proto: packet.ProtoTCP, IfIndex: 1})
}

func liveSockRedirect(w *world) {
	_, err := w.h.Attach("Redirect", load.Target{})
	w.must(err)
	w.inCgroup("Enrol")
	w.talk("127.0.0.1:0", "hello")
	if n := value(w, "Redirected", &sockredirect.Redirected); n == 0 {
		w.Error("no message took the short cut")
	}
	w.talk("[::1]:0", "hello")
}

func liveTCPRTT(w *world) {
	s := ring(w, "Events", &tcprtt.Events)
	w.inCgroup()
	c := w.talk("127.0.0.1:0", "hello")
	e := s.find("the client's round trip", func(e *tcprtt.Event) bool { return e.Role == tcprtt.Client })
	w.equal("connection", e.Conn, tcprtt.Conn{
		SrcIP: packet.IPv4Addr(127, 0, 0, 1), DstIP: packet.IPv4Addr(127, 0, 0, 1),
		SrcPort: uint16(c.client.Port), DstPort: uint16(c.server.Port),
	})
	if e.SRTT == 0 || e.SRTT > 1e6 {
		w.Errorf("round trip of %d us", e.SRTT)
	}
	s.find("the server's round trip", func(e *tcprtt.Event) bool { return e.Role == tcprtt.Server })
}

func liveCgroupGuard(w *world) {
	s := ring(w, "Events", &cgroupguard.Events)
	w.inCgroup()
	for _, to := range []string{"127.0.0.1:9", "[::1]:9"} {
		_, err := net.DialTimeout("tcp", to, patience)
		if !refused(err) {
			w.Errorf("connect to %s: %v", to, err)
		}
		e := s.next(1)[0]
		e.Comm = [16]byte{}
		w.equal("event", e, cgroupguard.Event{
			Action: cgroupguard.Connect, PID: pid(), Port: 9, Addr: packet.AddrFrom(netip.MustParseAddrPort(to).Addr()),
		})
	}
	w.talk("127.0.0.1:0", "hello")
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_ICMP)
	if err == nil {
		syscall.Close(fd)
	}
	if !refused(err) {
		w.Errorf("raw socket: %v", err)
	}
	e := s.next(1)[0]
	w.equal("action", e.Action, cgroupguard.RawSocket)
	w.equal("name", comm(e.Comm) != "", true)
}

func twinServiceNAT(w *world) {
	if w.k == nil {
		return // there is no test run
	}
	service := servicenat.Service{IP: packet.IPv4Addr(10, 96, 0, 1), Port: 80}
	ctx := &cgroup.SockAddrContext{UserIP4: service.IP}
	ctx.SetPort(80)
	w.equal("verdict", bpftest.Run(w.k, servicenat.Connect, ctx), cgroup.Allow)
	w.equal("port", ctx.Port(), uint16(80))
	servicenat.Services.Update(service, 1, bpf.Any)
	w.equal("verdict", bpftest.Run(w.k, servicenat.Connect, ctx), cgroup.Deny)
}

func liveServiceNAT(w *world) {
	l := w.listen("127.0.0.1:0")
	defer l.Close()
	w.inCgroup()
	put(w, "Services", &servicenat.Services, servicenat.Service{IP: packet.IPv4Addr(10, 96, 0, 1), Port: 80}, 1)
	// The key's type is the package's own.
	type slot struct {
		Service servicenat.Service
		Index   uint32
	}
	m, err := load.MapOf[slot, servicenat.Backend](w.h, "Backends")
	w.must(err)
	w.must(m.Put(
		slot{Service: servicenat.Service{IP: packet.IPv4Addr(10, 96, 0, 1), Port: 80}},
		servicenat.Backend{IP: packet.IPv4Addr(127, 0, 0, 1), Port: uint16(l.Addr().(*net.TCPAddr).Port)},
	))
	w.talkTo(l, "10.96.0.1:80", "hello")
}

func liveSkLookup(w *world) {
	l := w.listen("127.0.0.1:0")
	defer l.Close()
	m, err := load.SocketMapOf[uint32](w.h, "Servers")
	w.must(err)
	w.must(m.Put(3, l.(*net.TCPListener)))
	put(w, "Ports", &sklookup.Ports, 7777, 3)
	put(w, "Ports", &sklookup.Ports, 7778, 4)
	_, err = w.h.Attach("Steer", load.Target{})
	w.must(err)
	w.talkTo(l, "127.0.0.1:7777", "hello")
	w.equal("steered", value(w, "Steered", &sklookup.Steered), uint64(1))
	if c, err := net.DialTimeout("tcp", "127.0.0.1:7778", patience); err == nil {
		c.Close()
		w.Error("connected to a port whose socket is missing")
	}
}

func liveSkSkbEcho(w *world) {
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
	m, err := load.SocketMapOf[uint32](w.h, "Clients")
	w.must(err)
	w.must(m.Put(uint32(c.LocalAddr().(*net.TCPAddr).Port), server.(*net.TCPConn)))
	w.must(c.SetDeadline(time.Now().Add(patience)))
	for _, message := range []string{"hello", strings.Repeat("0123456789", 1000)} {
		_, err = c.Write([]byte(message))
		w.must(err)
		buf := make([]byte, len(message))
		_, err = io.ReadFull(c, buf)
		w.must(err)
		w.equal("echo", string(buf), message)
	}
	w.equal("bytes", value(w, "Bytes", &skskbecho.Bytes), uint64(10005))
}

func liveSkStorage(w *world) {
	w.inCgroup()
	l := w.listen("127.0.0.1:0")
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	w.must(err)
	defer c.Close()
	server, err := l.Accept()
	w.must(err)
	defer server.Close()
	_, err = c.Write(make([]byte, 1000))
	w.must(err)
	_, err = io.ReadFull(server, make([]byte, 1000))
	w.must(err)
	raw, err := c.(*net.TCPConn).SyscallConn()
	w.must(err)
	var t skstorage.Traffic
	w.must(raw.Control(func(fd uintptr) {
		m, err := w.h.Map("Sockets")
		w.must(err)
		w.must(m.Lookup(uint32(fd), &t))
	}))
	if t.Packets < 2 || t.Bytes < 1000 {
		w.Errorf("the socket sent 1000 bytes, counted %+v", t)
	}
}
