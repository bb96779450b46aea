package redirect_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/stream"
	"github.com/waggle-bpf/waggle/redirect"
)

// TestConversation: request and response go from socket to socket, over IPv4 and IPv6,
// and both ends arrive.
func TestConversation(t *testing.T) {
	for _, addr := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(addr, func(t *testing.T) {
			s := start(t, redirect.Options{})
			client, server := listen(t, addr).connect(t)
			mustConverse(t, client, server, 100)
			sum := summary(t, s)
			// The first messages of a Go program go through TCP.
			if sum.Connections != 1 || sum.Ways["short"] != 2 || sum.Messages < 190 || sum.Messages+sum.PassedMessages != 200 {
				t.Errorf("got %+v", sum)
			}
			list := s.Connections(10)
			if len(list) != 1 || list[0].Client.String() != client.LocalAddr().String() || list[0].Server.String() != client.RemoteAddr().String() ||
				int(list[0].PID) != os.Getpid() || list[0].ToServer != "short" || list[0].ToClient != "short" {
				t.Errorf("got %+v", list)
			}
			if err := client.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if n, err := server.Read(make([]byte, 1)); n != 0 || err != io.EOF {
				t.Errorf("after the end: %d bytes, %v", n, err)
			}
			if err := say(server, client, "the last word"); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestLoopback: what is short-cut does not pass the loopback device.
func TestLoopback(t *testing.T) {
	start(t, redirect.Options{})
	client, server := listen(t, "127.0.0.1:0").connect(t)
	mustConverse(t, client, server, 5)
	before := loopback(t)
	for { // acknowledgements may come late
		time.Sleep(100 * time.Millisecond)
		now := loopback(t)
		if now == before {
			break
		}
		before = now
	}
	mustConverse(t, client, server, 1000)
	if after := loopback(t); after != before {
		t.Errorf("%d packets on the loopback device", after-before)
	}
}

// loopback is how many packets the loopback device of this network namespace has seen.
func loopback(t *testing.T) (n uint64) {
	t.Helper()
	text, err := os.ReadFile("/proc/net/dev")
	if err != nil {
		t.Fatal(err)
	}
	_, line, _ := strings.Cut(string(text), " lo:")
	var octets uint64
	if _, err := fmt.Sscan(line, &octets, &n); err != nil {
		t.Fatalf("read counters of loopback: %v in %q", err, line)
	}
	return n
}

// TestSplice: a reader that splices after all does not hang for ever.
func TestSplice(t *testing.T) {
	s := start(t, redirect.Options{})
	l := listen(t, "127.0.0.1:0")
	client, server := l.connect(t)
	mustConverse(t, client, server, 10)
	if _, err := io.WriteString(client, "nobody will see this"); err != nil {
		t.Fatal(err)
	}
	splice(t, server)
	if err := client.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if n, err := client.Read(make([]byte, 1)); n != 0 || errors.Is(err, os.ErrDeadlineExceeded) || err == nil {
		t.Errorf("read %d bytes, %v, want a broken connection", n, err)
	}
	// Programs that splice at once are spared.
	client, server = l.connect(t)
	splice(t, server)
	mustConverse(t, client, server, 10)
	if sum := summary(t, s); sum.Ways["splices"] > 1 || sum.Connections != 1 {
		t.Errorf("got %+v", sum)
	}
}

// splice tries to read from a connection.
func splice(t *testing.T, c *net.TCPConn) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = raw.Control(func(fd uintptr) {
		n, err := unix.Splice(int(fd), nil, int(w.Fd()), nil, 1000, unix.SPLICE_F_NONBLOCK)
		if n > 0 || !errors.Is(err, unix.EAGAIN) {
			t.Errorf("splice: %d bytes, %v", n, err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestRandomScripts plays conversations of all shapes: every byte arrives once, in
// order, and every end as it was sent.
func TestRandomScripts(t *testing.T) {
	s := start(t, redirect.Options{Mark: redirect.MinMark * 4})
	l := listen(t, "127.0.0.1:0")
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	scripts := 60
	if testing.Short() {
		scripts = 15
	}
	for i := range scripts {
		script := stream.Random(rng, 1<<20)
		client, server := l.connect(t)
		if i%2 == 0 { // begin on the short cut
			mustConverse(t, client, server, 5)
		}
		if err := script.Run(client, server, patience); err != nil {
			t.Fatalf("seed %d, script %d: %v", seed, i, err)
		}
		client.Close()
		server.Close()
	}
	sum := summary(t, s)
	for _, way := range []string{"bulk", "short"} {
		if sum.Ways[way] == 0 {
			t.Errorf("no direction went %s: %v", way, sum.Ways)
		}
	}
}

// TestEnds resets and half-closes connections that are short-cut.
func TestEnds(t *testing.T) {
	start(t, redirect.Options{})
	l := listen(t, "127.0.0.1:0")
	for name, script := range map[string]stream.Script{
		"half-close":       {Client: stream.Side{Size: 100_000}, Server: stream.Side{Size: 200_000, Start: stream.AfterEnd}},
		"server's first":   {Client: stream.Side{Size: 100_000, Start: stream.AfterEnd}, Server: stream.Side{Size: 200_000}},
		"reset by client":  {Client: stream.Side{Size: 1000, End: stream.RST, EndAt: 1000}, Server: stream.Side{Size: 1000}},
		"reset by server":  {Client: stream.Side{Size: 1000}, Server: stream.Side{Size: 1000, End: stream.RST, EndAt: 1000}},
		"nothing":          {},
		"bytes one by one": {Client: stream.Side{Size: 5000, Write: stream.Bytewise}, Server: stream.Side{Size: 5000, Write: stream.Bytewise}},
	} {
		t.Run(name, func(t *testing.T) {
			client, server := l.connect(t)
			mustConverse(t, client, server, 5)
			if err := script.Run(client, server, patience); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestIdleReader: a writer that nobody reads is held back by TCP after the mark, and
// all of what it has written is there when somebody does.
func TestIdleReader(t *testing.T) {
	const mark = 256 << 10
	s := start(t, redirect.Options{Mark: mark})
	client, server := listen(t, "127.0.0.1:0").connect(t)
	mustConverse(t, client, server, 5)
	const size = 256 << 20
	script := stream.Script{
		Seed:   7,
		Client: stream.Side{Size: size, Write: stream.Pace{Min: 1000, Max: 64 << 10}},
		Server: stream.Side{Read: stream.Pace{Delay: time.Second}},
	}
	over := make(chan error, 1)
	go func() { over <- script.Run(client, server, 2*patience) }()
	// Until it stands still.
	var before redirect.Summary
	for {
		time.Sleep(100 * time.Millisecond)
		sum := summary(t, s)
		if sum.Ways["backlog"] > 0 && sum.Bytes+sum.PassedBytes == before.Bytes+before.PassedBytes {
			break
		}
		before = sum
		if sum.Elapsed > patience {
			t.Fatalf("it does not stand still: %+v", sum)
		}
	}
	if sent := before.Bytes + before.PassedBytes; before.MaxUnread > mark || sent > size/2 {
		t.Errorf("%d bytes unread in the short cut, %d sent in all, nothing read", before.MaxUnread, sent)
	}
	if err := <-over; err != nil {
		t.Error(err)
	}
}

// TestMoments makes connections before, while and after the session begins, which all
// carry streams meanwhile.
func TestMoments(t *testing.T) {
	group := testkit.NewCgroup(t)
	group.Join(t)
	l := listen(t, "127.0.0.1:0")
	var running sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	over := make(chan struct{})
	run := func() error {
		client, server, err := l.pair()
		if err != nil {
			return err
		}
		defer client.Close()
		defer server.Close()
		script := stream.Script{
			Seed:   rand.Uint64(),
			Client: stream.Side{Size: 200_000, Write: stream.Ragged, Read: stream.Halting},
			Server: stream.Side{Size: 200_000, Write: stream.Halting, Read: stream.Ragged},
		}
		if err := converse(client, server, 4); err != nil {
			return err
		}
		return script.Run(client, server, patience)
	}
	ready := make(chan struct{}, 100)
	running.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
			}
			if err := run(); err != nil {
				mu.Lock()
				errs = append(errs, err)
				mu.Unlock()
				return
			}
			select {
			case ready <- struct{}{}:
			default:
			}
		}
	})
	<-ready
	for range 5 { // sessions come and go
		s, err := redirect.Start(redirect.Options{Cgroups: []string{group.Path}})
		testkit.Need(t, err)
		for range 3 {
			select {
			case <-ready:
			case <-time.After(patience):
				t.Error("no connection any more")
			}
		}
		if _, err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	close(over)
	running.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
}

// TestManyConnections talks on 1,000 connections at once.
func TestManyConnections(t *testing.T) {
	n := 1000
	if testing.Short() {
		n = 100
	}
	s := start(t, redirect.Options{})
	l := listen(t, "127.0.0.1:0")
	type pair struct{ client, server *net.TCPConn }
	var pairs []pair
	for range n {
		c, a := l.connect(t)
		pairs = append(pairs, pair{c, a})
	}
	var running sync.WaitGroup
	errs := make(chan error, n)
	for i, p := range pairs {
		running.Go(func() {
			script := stream.Script{
				Seed:   uint64(i),
				Client: stream.Side{Size: 20_000, Write: stream.Pace{Min: 1, Max: 4000}},
				Server: stream.Side{Size: 20_000, Write: stream.Pace{Min: 1, Max: 4000}},
			}
			err := converse(p.client, p.server, 5)
			if err == nil {
				err = script.Run(p.client, p.server, 2*patience)
			}
			if err != nil {
				errs <- fmt.Errorf("connection %d: %w", i, err)
			}
		})
	}
	running.Wait()
	close(errs)
	for err := range errs {
		t.Error(err)
	}
	if sum := summary(t, s); sum.Connections != uint64(n) || sum.Messages < uint64(10*n) {
		t.Errorf("got %+v", sum)
	}
}

// TestClosing ends sessions under traffic: it goes on.
func TestClosing(t *testing.T) {
	group := testkit.NewCgroup(t)
	group.Join(t)
	l := listen(t, "127.0.0.1:0")
	for range 2 {
		s, err := redirect.Start(redirect.Options{Cgroups: []string{group.Path}})
		testkit.Need(t, err)
		client, server := l.connect(t)
		mustConverse(t, client, server, 5)
		idle, idleServer := l.connect(t)
		mustConverse(t, idle, idleServer, 5)
		unread, unreadServer := l.connect(t)
		mustConverse(t, unread, unreadServer, 5)
		if _, err := io.WriteString(unread, strings.Repeat("unread", 100)); err != nil {
			t.Fatal(err)
		}
		script := stream.Script{
			Seed:   9,
			Client: stream.Side{Size: 2 << 20, Write: stream.Halting},
			Server: stream.Side{Size: 2 << 20, Write: stream.Halting},
		}
		over := make(chan error, 1)
		go func() { over <- script.Run(client, server, patience) }()
		time.Sleep(20 * time.Millisecond)
		sum, err := s.Close()
		if err != nil {
			t.Error(err)
		}
		if sum.Left != 1 { // the one with something unread
			t.Errorf("%d connections left, want 1", sum.Left)
		}
		if err := <-over; err != nil {
			t.Error(err)
		}
		mustConverse(t, idle, idleServer, 5)
		if err := say(unread, unreadServer, ""); err != nil {
			t.Error(err)
		}
		got := make([]byte, 600)
		if _, err := io.ReadFull(unreadServer, got); err != nil || string(got) != strings.Repeat("unread", 100) {
			t.Errorf("got %.20q, %v", got, err)
		}
		mustConverse(t, unread, unreadServer, 5)
	}
}
