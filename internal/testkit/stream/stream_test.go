package stream

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const timeout = 30 * time.Second

func TestMix(t *testing.T) {
	for _, x := range []uint64{0, 1, 2, 1 << 31, 1 << 63, ^uint64(0), 0x123456789abcdef0} {
		if got := unmix(mix(x)); got != x {
			t.Errorf("%#x: got %#x", x, got)
		}
	}
}

// FuzzSource: any cut of a stream is that part of it, and knows its place.
func FuzzSource(f *testing.F) {
	f.Add(uint64(1), uint16(0), uint16(100))
	f.Add(uint64(2), uint16(7), uint16(24))
	f.Add(uint64(3), uint16(8191), uint16(5000))
	f.Fuzz(func(t *testing.T, seed uint64, offset, size uint16) {
		s := NewSource(seed)
		whole := make([]byte, int(offset)+int(size))
		s.Fill(whole, 0)
		part := make([]byte, size)
		s.Fill(part, int64(offset))
		if !bytes.Equal(part, whole[offset:]) {
			t.Fatalf("bytes from %d on are not those of the whole", offset)
		}
		if i := s.Differs(part, int64(offset)); i >= 0 {
			t.Errorf("byte %d differs", i)
		}
		if size == 0 {
			return
		}
		if got, ok := s.Locate(part, 1<<20); size >= shown && (!ok || got != int64(offset)) {
			t.Errorf("located at %d, %t; want %d", got, ok, offset)
		}
		last := size - 1
		part[last] ^= 1
		if i := s.Differs(part, int64(offset)); i != int(last) {
			t.Errorf("byte %d differs, want %d", i, last)
		}
	})
}

func TestChunk(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, p := range []Pace{{}, Bytewise, Ragged, {Min: 100, Max: 2000}, {Min: 3, Max: 5}, {Max: 1}} {
		low, high := p.limits()
		var small, large int
		for range 20_000 {
			n := p.chunk(rng)
			if n < low || n > high {
				t.Fatalf("%+v: chunk of %d", p, n)
			}
			if n <= 2*low {
				small++
			}
			if n >= high/2 {
				large++
			}
		}
		if small == 0 || large == 0 {
			t.Errorf("%+v: %d small chunks, %d large ones", p, small, large)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, test := range []struct {
		client, server Side
		ok             bool
	}{
		{Side{}, Side{}, true},
		{Side{Start: 1}, Side{Size: 1}, true},
		{Side{Start: 1}, Side{Size: 1, Start: 1}, false},
		{Side{Start: 2}, Side{Size: 1}, false},
		{Side{EndAt: AfterEnd}, Side{EndAt: AfterEnd}, false},
		{Side{Size: 5, EndAt: 7}, Side{Size: 7, Start: 5, EndAt: AfterEnd}, true},
		{Side{Size: 5, Start: AfterEnd}, Side{EndAt: 5}, false},
		{Side{End: RST}, Side{EndAt: AfterEnd}, true},
		{Side{EndAt: AfterEnd}, Side{End: RST}, true},
	} {
		s := Script{Client: test.client, Server: test.server}
		if err := s.Check(); (err == nil) != test.ok {
			t.Errorf("%+v: %v", s, err)
		}
	}
}

// scripts are played over a plain connection, where each must pass.
var scripts = map[string]Script{
	"empty":         {},
	"one byte each": {Client: Side{Size: 1}, Server: Side{Size: 1, Start: 1}},
	"both ways":     {Client: Side{Size: 3 << 20, Write: Ragged, Read: Ragged}, Server: Side{Size: 2 << 20, Write: Ragged, Read: Ragged}},
	"bytewise":      {Client: Side{Size: 2000, Write: Bytewise}, Server: Side{Size: 2000, Write: Bytewise}},
	"server first":  {Client: Side{Size: 1000, Start: 100}, Server: Side{Size: 100}},
	"reply":         {Client: Side{Size: 1000}, Server: Side{Size: 1 << 20, Start: AfterEnd}},
	"server ends":   {Client: Side{Size: 1 << 20, Start: AfterEnd}, Server: Side{Size: 10}},
	"slow reader":   {Client: Side{Size: 1 << 20}, Server: Side{Read: Pace{Min: 1000, Max: 30000, Delay: 50 * time.Millisecond, Pause: time.Millisecond, Every: 2}}},
	"client resets": {Client: Side{Size: 100, End: RST, EndAt: 1000}, Server: Side{Size: 1 << 24}},
	"server resets": {Client: Side{Size: 1 << 24}, Server: Side{Size: 100, End: RST, EndAt: 1000}},
}

func TestPlay(t *testing.T) {
	for name, s := range scripts {
		t.Run(name, func(t *testing.T) {
			client, server := Connect(t)
			if err := s.Run(client, server, timeout); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestRandom(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range 30 {
		s := Random(rng, 1<<18)
		client, server := Connect(t)
		if err := s.Run(client, server, timeout); err != nil {
			t.Errorf("script %d, %+v: %v", i, s, err)
		}
	}
}

func TestResetTime(t *testing.T) {
	client, server := Connect(t)
	s := Script{Client: Side{End: RST}, Server: Side{EndAt: AfterEnd}}
	deadline := time.Now().Add(timeout)
	served := make(chan *Outcome)
	go func() { served <- s.PlayServer(server, deadline) }()
	c := s.PlayClient(client, deadline)
	if lag := (<-served).SawAt.Sub(c.Reset); lag < 0 || lag > 10*time.Second {
		t.Errorf("the reset took %v", lag)
	}
}

func TestPrefix(t *testing.T) {
	s := Script{Client: Side{Size: 5000}, Prefix: []byte("PROXY UNKNOWN\r\n")}
	for prefix, want := range map[string]string{
		"PROXY UNKNOWN\r\n": "",
		"PROXY UNKNOWN\n":   "2 bytes before the stream",
		"":                  "15 bytes before the stream",
	} {
		client, server := connectThrough(t, func(up bool, b []byte) []byte {
			return append([]byte(prefix), b...)
		})
		wants(t, s.Run(client, server, timeout), want)
	}
}

func ExampleScript() {
	l, _ := net.Listen("tcp", "127.0.0.1:0")
	defer l.Close()
	client, _ := net.Dial("tcp", l.Addr().String())
	server, _ := l.Accept()
	defer client.Close()
	defer server.Close()
	s := Script{
		Client: Side{Size: 1 << 20, Write: Ragged},
		Server: Side{Size: 100, Start: AfterEnd},
	}
	fmt.Println(s.Run(client.(*net.TCPConn), server.(*net.TCPConn), timeout))
	// Output: <nil>
}
