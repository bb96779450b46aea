package target

import (
	"net"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

// TestWakeOnLANEverywhere: the packet goes to all networks.
func TestWakeOnLANEverywhere(t *testing.T) {
	testkit.RequireRoot(t)
	p := testkit.NewPair(t)
	var l net.PacketConn
	var err error
	p.B.NS.Do(t, func() { l, err = net.ListenPacket("udp4", ":9") })
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	// Packets get lost: the wire may not carry yet.
	b := make([]byte, 200)
	for deadline := time.Now().Add(10 * time.Second); ; {
		p.A.NS.Do(t, func() { err = (&WakeOnLAN{Name: "00:1b:21:0a:0b:0c"}).Start(t.Context()) })
		if err != nil {
			t.Fatal(err)
		}
		_ = l.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		n, _, err := l.ReadFrom(b)
		if err == nil {
			if n != 102 {
				t.Errorf("got %d bytes, want 102", n)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}
