package sockmap

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/bpftest"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/internal/testkit"
)

// patience is how long to wait for what should come at once.
const patience = 20 * time.Second

// TestSentTwice: a client that has missed an acknowledgement sends data again, put
// together with other data. Socket maps hand out such packets whole.
func TestSentTwice(t *testing.T) {
	need(t)
	wire := testkit.NewPair(t)
	var e *Engine
	wire.B.NS.Do(t, func() { e = open(t) })
	defer e.Close()

	l := wire.B.Listen(t, wire.B.V4).(*net.TCPListener)
	client := newBareClient(t, wire, l.Addr().(*net.TCPAddr).AddrPort())
	client.connect()
	_ = l.SetDeadline(time.Now().Add(patience))
	accepted, err := l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	var dialed, backend *net.TCPConn
	wire.B.NS.Do(t, func() { err = connect(&dialed, &backend) })
	if err != nil {
		t.Fatal(err)
	}
	defer dialed.Close()
	defer backend.Close()
	_ = backend.SetReadDeadline(time.Now().Add(patience))

	p := engine.NewPair(accepted, dialed)
	result := make(chan engine.End, 1)
	go func() { result <- e.Forward(p) }()
	defer func() { <-result }()
	defer p.Abort(engine.Shutdown)

	var want strings.Builder
	hear := func(text string) {
		t.Helper()
		want.WriteString(text)
		got := make([]byte, len(text))
		if n, err := io.ReadFull(backend, got); err != nil || string(got) != text {
			t.Fatalf("behind %q: got %q, %v, want %q", want.String()[:want.Len()-len(text)], got[:n], err, text)
		}
	}
	const start = 1
	client.send(start, "abcd")
	hear("abcd")
	client.send(start+2, "cdef")
	hear("ef")
	client.send(start, "abcdefgh")
	hear("gh")
	client.send(start+2, "cdef") // nothing new
	client.send(start+8, "ij")
	hear("ij")
	if moved := p.Moved(engine.Up); moved != uint64(want.Len()) {
		t.Errorf("counted %d bytes, want %d", moved, want.Len())
	}
}

// bareClient is a TCP client without a kernel behind it. It sends what it is told
// to, and takes nothing to heart.
type bareClient struct {
	t      testing.TB
	fd     int
	packet bpftest.Packet // what all have in common
	arp    []byte         // the answer to who has its address
	isn    uint32         // its initial sequence number
	ack    uint32         // what it expects
}

// newBareClient makes a client at the A end of a wire, with an address that A's
// kernel knows nothing of.
func newBareClient(t testing.TB, w *testkit.Pair, server netip.AddrPort) *bareClient {
	c := &bareClient{t: t, isn: 1<<32 - 4} // to wrap around soon
	var near, far *net.Interface
	var err error
	all := int(bpf.ToBE16(unix.ETH_P_ALL))
	w.A.NS.Do(t, func() {
		if near, err = net.InterfaceByName(w.A.Device); err == nil {
			c.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, all)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(c.fd) })
	w.B.NS.Do(t, func() { far, err = net.InterfaceByName(w.B.Device) })
	if err == nil {
		err = unix.Bind(c.fd, &unix.SockaddrLinklayer{Ifindex: near.Index, Protocol: uint16(all)})
	}
	if err == nil {
		err = unix.SetsockoptTimeval(c.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1})
	}
	if err != nil {
		t.Fatal(err)
	}
	addr := w.A.V4.As4()
	addr[3] = 99
	c.packet = bpftest.Packet{
		Src: netip.AddrPortFrom(netip.AddrFrom4(addr), 40000).String(), Dst: server.String(),
		SrcMAC: packet.MAC(near.HardwareAddr), DstMAC: packet.MAC(far.HardwareAddr), Window: 60000,
	}
	peer := server.Addr().As4()
	c.arp = arpReply(near.HardwareAddr, far.HardwareAddr, addr, peer)
	return c
}

// arpReply says that an address is at a device.
func arpReply(at, to net.HardwareAddr, addr, asks [4]byte) []byte {
	b := append(append([]byte{}, to...), at...)
	b = append(b, 0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 2)
	b = append(append(b, at...), addr[:]...)
	return append(append(b, to...), asks[:]...)
}

func (c *bareClient) write(frame []byte) {
	c.t.Helper()
	if _, err := unix.Write(c.fd, frame); err != nil {
		c.t.Fatal(err)
	}
}

func (c *bareClient) segment(seq uint32, flags packet.TCPFlags, payload string) {
	c.t.Helper()
	p := c.packet
	p.Seq, p.Ack, p.Flags, p.Payload = c.isn+seq, c.ack, flags, payload
	c.write(p.Bytes())
}

// send sends data whose first byte has a number in the stream; the SYN is number 0.
func (c *bareClient) send(seq uint32, text string) {
	c.t.Helper()
	c.segment(seq, packet.ACK|packet.PSH, text)
}

// connect shakes hands.
func (c *bareClient) connect() {
	c.t.Helper()
	c.segment(0, packet.SYN, "")
	buf := make([]byte, 2048)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		n, err := unix.Read(c.fd, buf)
		if err != nil {
			continue
		}
		if n > 22 && binary.BigEndian.Uint16(buf[12:]) == 0x0806 && buf[21] == 1 {
			c.write(c.arp)
			continue
		}
		if p := packet.Parse(packet.Bytes(buf[:n])); p.TCP != nil && p.TCP.Has(packet.SYN|packet.ACK) {
			c.ack = p.TCP.Seq.Host() + 1
			c.segment(1, packet.ACK, "")
			return
		}
	}
	c.t.Fatal("no answer to SYN")
}
