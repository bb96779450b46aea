package target

import (
	"bytes"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// TestWakeOnLAN listens for the packet.
func TestWakeOnLAN(t *testing.T) {
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w := &WakeOnLAN{Name: "00:1B:21:0a:0b:0c@" + l.LocalAddr().String()}
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 200)
	_ = l.SetReadDeadline(time.Now().Add(10 * time.Second))
	n, _, err := l.ReadFrom(b)
	if err != nil {
		t.Fatal(err)
	}
	want := []byte("\xff\xff\xff\xff\xff\xff")
	for range 16 {
		want = append(want, 0x00, 0x1b, 0x21, 0x0a, 0x0b, 0x0c)
	}
	if !bytes.Equal(b[:n], want) {
		t.Errorf("got % x\nwant % x", b[:n], want)
	}
}

func TestWakeOnLANErrors(t *testing.T) {
	for name, want := range map[string]string{
		"":                             `"" is not a MAC address`,
		"00:1b:21:0a:0b":               "is not a MAC address",
		"00:00:00:00:fe:80:00:00":      "is not a MAC address", // EUI-64
		"00:1b:21:0a:0b:0c@lan":        `"lan" is not an address`,
		"00:1b:21:0a:0b:0c@10.0.0.1:x": "is not an address",
	} {
		w := &WakeOnLAN{Name: name}
		if err := w.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", name, err, want)
		}
	}
	for _, name := range []string{"00:1b:21:0a:0b:0c", "00-1b-21-0a-0b-0c@10.0.0.255", "001b.210a.0b0c@[fd00::1]:7"} {
		if err := (&WakeOnLAN{Name: name}).Validate(); err != nil {
			t.Error(err)
		}
	}
}

func TestBroadcast(t *testing.T) {
	for prefix, want := range map[string]string{
		"10.77.0.1/24": "10.77.0.255", "10.77.0.1/8": "10.255.255.255", "192.168.4.9/29": "192.168.4.15", "10.0.0.1/30": "10.0.0.3",
	} {
		if got := broadcast(netip.MustParsePrefix(prefix)); got.String() != want {
			t.Errorf("%s: got %s, want %s", prefix, got, want)
		}
	}
}
