package link_test

import (
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/link"
	"github.com/waggle-bpf/waggle/internal/testkit/stream"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// TestStreams: TCP gets everything through, over both families, whatever the link
// does, and the link does what it was told.
func TestStreams(t *testing.T) {
	for _, test := range []struct {
		name string
		im   link.Impairment
		size int64
	}{
		{"perfect", link.Impairment{}, 20 << 20},
		{"delay", link.Impairment{Delay: 5 * time.Millisecond}, 1 << 20},
		{"bad", link.Bad, 300_000},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			l := link.New(t, testkit.NewNS(t), testkit.NewNS(t), 3, test.im)
			for _, addr := range []netip.Addr{l.B.V4, l.B.V6} {
				client, server := connect(t, l, addr)
				s := stream.Script{Client: stream.Side{Size: test.size}, Server: stream.Side{Size: test.size}}
				start := time.Now()
				if err := s.Run(client, server, time.Minute); err != nil {
					t.Errorf("%v: %v", addr, err)
				}
				t.Logf("%v: %.0f Mb/s both ways", addr, float64(test.size)*16/1e6/time.Since(start).Seconds())
			}
			a, b := l.Stats()
			for _, s := range []link.Stats{a, b} {
				t.Log(s)
				check(t, test.im, s)
			}
		})
	}
}

// check compares what a link did with what it was told. Shares of some thousand
// packets are not exact.
func check(t *testing.T, im link.Impairment, s link.Stats) {
	t.Helper()
	if s.Overflowed+s.Refused > 0 {
		t.Errorf("lost more than it should: %v", s)
	}
	for name, share := range map[string][2]float64{
		"lost":       {float64(s.Lost) / float64(s.Received+s.Duplicated), im.Loss},
		"duplicated": {float64(s.Duplicated) / float64(s.Received), im.Duplicate},
		"early":      {float64(s.Reordered) / float64(s.Received), im.Reorder},
	} {
		if got, want := share[0], share[1]; want == 0 && got != 0 || want > 0 && (got < want/4 || got > want*3) {
			t.Errorf("a share of %.3f was %s, want %.3f", got, name, want)
		}
	}
}

func TestDelay(t *testing.T) {
	const delay = 30 * time.Millisecond
	l := link.New(t, testkit.NewNS(t), testkit.NewNS(t), 1, link.Impairment{Delay: delay})
	client, server := connect(t, l, l.B.V4)
	best := time.Hour
	for range 5 {
		start := time.Now()
		exchange(t, client, server)
		exchange(t, server, client)
		best = min(best, time.Since(start))
	}
	if best < 2*delay || best > 4*delay {
		t.Errorf("the best round trip took %v, want a little more than %v", best, 2*delay)
	}
}

// TestFrames looks at frames as a packet socket gets them: none is larger than
// Ethernet's, although the sender would like to send 64 KiB at once.
func TestFrames(t *testing.T) {
	l := link.New(t, testkit.NewNS(t), testkit.NewNS(t), 1, link.Impairment{})
	const all = 0x0300 // ETH_P_ALL in network byte order
	var fd int
	var err error
	l.B.NS.Do(t, func() { fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, all) })
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20); err != nil {
		t.Fatal(err)
	}
	client, server := connect(t, l, l.B.V6)
	s := stream.Script{Client: stream.Side{Size: 1 << 20}}
	if err := s.Run(client, server, time.Minute); err != nil {
		t.Fatal(err)
	}
	const ethernet = 1514
	frames, largest := 0, 0
	buf := make([]byte, 64<<10)
	for {
		n, from, err := unix.Recvfrom(fd, buf, 0)
		if err != nil {
			break
		}
		if ll, ok := from.(*unix.SockaddrLinklayer); ok && ll.Pkttype != unix.PACKET_OUTGOING {
			frames++
			largest = max(largest, n)
		}
	}
	if frames < 700 || largest != ethernet {
		t.Errorf("got %d frames, the largest of %d bytes, want some 750 and %d", frames, largest, ethernet)
	}
}

func connect(t *testing.T, l *link.Link, addr netip.Addr) (client, server *net.TCPConn) {
	t.Helper()
	listener := l.B.Listen(t, addr)
	c := l.A.Dial(t, listener.Addr())
	s, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

func exchange(t *testing.T, from, to net.Conn) {
	t.Helper()
	if _, err := from.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := to.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(to, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
}
