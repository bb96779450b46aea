package packet_test

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/internal/testkit"
)

// TestParseCaptured reads what the kernel itself puts on the loopback interface
// and compares with what the sockets say.
func TestParseCaptured(t *testing.T) {
	fd := captureLoopback(t)
	for _, network := range []string{"tcp4", "tcp6"} {
		t.Run(network, func(t *testing.T) {
			text := "GET /" + strings.Repeat("x", 3000) + " HTTP/1.1\r\n\r\n"
			client, server := exchange(t, network, text)
			got := streamOf(t, fd, client, server)
			if got != text {
				t.Errorf("captured %d bytes %.40q, sent %d", len(got), got, len(text))
			}
		})
	}
}

// captureLoopback opens a packet socket on the loopback interface.
func captureLoopback(t *testing.T) int {
	t.Helper()
	testkit.RequireRoot(t)
	const all = 0x0300 // ETH_P_ALL in network byte order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, all)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: lo.Index}); err != nil {
		t.Fatal(err)
	}
	timeout := unix.NsecToTimeval(int64(200 * time.Millisecond))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		t.Fatal(err)
	}
	return fd
}

// exchange sends text through a new connection and returns both ends.
func exchange(t *testing.T, network, text string) (client, server netip.AddrPort) {
	t.Helper()
	host := map[string]string{"tcp4": "127.0.0.1:0", "tcp6": "[::1]:0"}[network]
	l, err := net.Listen(network, host)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, err = io.Copy(io.Discard, c)
			c.Close()
		}
		done <- err
	}()
	c, err := net.Dial(network, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	c.(*net.TCPConn).CloseWrite()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return c.LocalAddr().(*net.TCPAddr).AddrPort(), c.RemoteAddr().(*net.TCPAddr).AddrPort()
}

// streamOf puts together what was captured from client to server.
func streamOf(t *testing.T, fd int, client, server netip.AddrPort) string {
	t.Helper()
	buf := make([]byte, 1<<17)
	stream := make([]byte, 1<<16)
	var first uint32
	end, synSeen := 0, false
	for {
		n, from, err := unix.Recvfrom(fd, buf, 0)
		if errors.Is(err, unix.EAGAIN) {
			return string(stream[:end])
		}
		if err != nil {
			t.Fatal(err)
		}
		if from.(*unix.SockaddrLinklayer).Pkttype == unix.PACKET_OUTGOING {
			continue // loopback shows each packet twice
		}
		p := packet.Parse(buf[:n])
		if p.TCP == nil || p.SrcPort() != client.Port() || p.DstPort() != server.Port() {
			continue
		}
		if p.Src() != packet.AddrFrom(client.Addr()) || p.Dst() != packet.AddrFrom(server.Addr()) {
			t.Errorf("addresses %v to %v, want %v to %v", p.Src(), p.Dst(), client, server)
		}
		if p.TCP.Has(packet.SYN) {
			first, synSeen = p.TCP.Seq.Host()+1, true
			if o := p.TCPOptions(buf[:n]); o.MSS == 0 || !o.SACKPermitted || !o.HasWindowScale {
				t.Errorf("options of a SYN: %+v", o)
			}
		}
		if !synSeen {
			t.Fatal("data before the SYN")
		}
		if p.PayloadLen() != len(p.Payload) {
			t.Errorf("payload of %d bytes, the header says %d", len(p.Payload), p.PayloadLen())
		}
		at := int(p.TCP.Seq.Host() - first)
		if len(p.Payload) > 0 {
			end = max(end, at+copy(stream[at:], p.Payload))
		}
	}
}
