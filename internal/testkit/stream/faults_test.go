package stream

import (
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestFaults plays through a forwarder that does one thing wrong; the verdict has
// to name it.
func TestFaults(t *testing.T) {
	long := Script{Client: Side{Size: 1 << 20}, Server: Side{Size: 1 << 20}}
	for _, test := range []struct {
		name   string
		fault  func(up bool, b []byte) []byte
		script Script
		want   string
	}{
		{"nothing", func(_ bool, b []byte) []byte { return b }, long, ""},
		{"flipped bit", once(40_000, func(b []byte) []byte { b[0] ^= 4; return b }), long, "client to server: at byte 40000 came"},
		{"lost bytes", once(40_000, func(b []byte) []byte { return b[1000:] }), long, "at byte 40000 came byte 41000: 1000 bytes are missing"},
		{"lost word", once(40_000, func(b []byte) []byte { return b[8:] }), long, "at byte 40000 came byte 40008"},
		{"repeated bytes", once(40_000, func(b []byte) []byte { return append(slices.Clone(b), b...) }), long, "came byte 40000 again"},
		{"swapped bytes", once(40_000, func(b []byte) []byte { return append(slices.Clone(b[2000:]), b[:2000]...) }), long, "at byte 40000 came byte 42000"},
		{"added end", onceAtEnd(long.Client.Size, func(b []byte) []byte { return append(b, 1) }), long, "at byte 1048576 came 01"},
		{"lost end", onceAtEnd(long.Client.Size, func(b []byte) []byte { return b[:len(b)-1] }), long, "client to server: 1048576 bytes of 1048576 sent, 1048575 received, then FIN"},
		{"clean end for a reset", func(_ bool, b []byte) []byte { return b },
			Script{Client: Side{Size: 10, End: RST}, Server: Side{EndAt: AfterEnd}},
			"client to server: reset by the sender, but the receiver saw FIN"},
	} {
		t.Run(test.name, func(t *testing.T) {
			client, server := connectThrough(t, test.fault)
			wants(t, test.script.Run(client, server, timeout), test.want)
		})
	}
}

func TestReset(t *testing.T) {
	client, forwarder := Connect(t)
	other, server := Connect(t)
	s := Script{Client: Side{Size: 100, EndAt: 10}, Server: Side{Size: 10, Start: 100}}
	go func() {
		io.CopyN(io.Discard, forwarder, 50)
		for _, c := range []*net.TCPConn{forwarder, other} {
			c.SetLinger(0)
			c.Close()
		}
	}()
	err := s.Run(client, server, timeout)
	wants(t, err, "client to server: 100 bytes of 100 sent, 0 received, then RST")
	wants(t, err, "server to client: 0 bytes of 10 sent, 0 received, then RST")
}

func TestTimeout(t *testing.T) {
	client, _ := Connect(t)
	_, server := Connect(t)
	s := Script{Client: Side{Size: 100}}
	wants(t, s.Run(client, server, 50*time.Millisecond), "100 bytes of 100 sent, 0 received, then no end (read tcp")
}

// once does something to what a direction, up, carries at an offset.
func once(offset int, f func([]byte) []byte) func(bool, []byte) []byte {
	seen := 0
	return func(up bool, b []byte) []byte {
		if !up {
			return b
		}
		start := seen
		seen += len(b)
		if start > offset || seen <= offset+4000 {
			return b
		}
		at := offset - start
		return append(slices.Clone(b[:at]), f(b[at:])...)
	}
}

// onceAtEnd does something to the last piece of the stream up.
func onceAtEnd(size int64, f func([]byte) []byte) func(bool, []byte) []byte {
	var seen int64
	return func(up bool, b []byte) []byte {
		if !up {
			return b
		}
		if seen += int64(len(b)); seen == size {
			return f(b)
		}
		return b
	}
}

// connectThrough returns the ends of two connections between which a simple
// forwarder passes on what a function makes of each piece. The first piece of each
// direction is empty if the stream is.
func connectThrough(t *testing.T, f func(up bool, b []byte) []byte) (client, server *net.TCPConn) {
	client, near := Connect(t)
	far, server := Connect(t)
	pass := func(from, to *net.TCPConn, up bool) {
		buf := make([]byte, 64<<10)
		for first := true; ; first = false {
			n, err := io.ReadFull(from, buf)
			if n > 0 {
				b := buf[:n]
				if prefix := f(up, nil); first && len(prefix) > 0 {
					to.Write(prefix)
				} else if len(prefix) == 0 {
					b = f(up, b)
				}
				to.Write(b)
			}
			if err != nil {
				to.CloseWrite()
				return
			}
		}
	}
	go pass(near, far, true)
	go pass(far, near, false)
	return client, server
}

// wants checks that an error contains text, or that there is none if text is empty.
func wants(t *testing.T, err error, text string) {
	t.Helper()
	switch {
	case err == nil && text != "":
		t.Errorf("no error, want %q", text)
	case err != nil && (text == "" || !strings.Contains(err.Error(), text)):
		t.Errorf("got %q, want %q", err, text)
	}
}
