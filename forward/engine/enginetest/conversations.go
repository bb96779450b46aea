//go:build linux

package enginetest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"time"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/internal/testkit/stream"
)

type (
	side   = stream.Side
	pace   = stream.Pace
	script = stream.Script
)

// crawl is the pace of a reader that is slower than what it reads from.
var crawl = pace{Min: 1 << 10, Max: 64 << 10, Delay: 100 * time.Millisecond, Pause: 2 * time.Millisecond, Every: 4}

// shapes are the conversations that every engine has to carry, by name.
func shapes(bulk int64) []struct {
	name   string
	script script
} {
	return []struct {
		name   string
		script script
	}{
		{"nothing at all", script{}},
		{"client ends first, nothing sent", script{Server: side{EndAt: stream.AfterEnd}}},
		{"backend ends first, nothing sent", script{Client: side{EndAt: stream.AfterEnd}}},
		{"one byte each", script{Client: side{Size: 1, EndAt: 1}, Server: side{Size: 1, Start: 1}}},
		{"request and reply", script{Client: side{Size: 200, EndAt: stream.AfterEnd}, Server: side{Size: 3000, Start: 200}}},
		{"backend speaks first", script{Client: side{Size: 1000, Start: 21, EndAt: 5021}, Server: side{Size: 5021}}},
		{"upload", script{Client: side{Size: bulk}, Server: side{EndAt: stream.AfterEnd}}},
		{"download", script{Client: side{EndAt: stream.AfterEnd}, Server: side{Size: bulk}}},
		{"both ways at once", script{Client: side{Size: bulk}, Server: side{Size: bulk}}},
		{"ragged writes and reads", script{
			Client: side{Size: bulk / 2, Write: stream.Ragged, Read: stream.Ragged},
			Server: side{Size: bulk / 2, Write: stream.Ragged, Read: stream.Ragged}}},
		{"byte by byte", script{
			Client: side{Size: 3000, Write: stream.Bytewise}, Server: side{Size: 3000, Write: stream.Bytewise}}},
		{"with pauses", script{
			Client: side{Size: bulk / 8, Write: stream.Halting, Read: stream.Ragged},
			Server: side{Size: bulk / 8, Write: stream.Halting, Read: stream.Ragged}}},
		{"upload, end, long reply", script{
			Client: side{Size: bulk / 2}, Server: side{Size: bulk / 2, Start: stream.AfterEnd}}},
		{"download, end, long answer", script{
			Client: side{Size: bulk / 2, Start: stream.AfterEnd}, Server: side{Size: bulk / 2}}},
		{"backend reads slowly", script{Client: side{Size: bulk}, Server: side{Read: crawl, EndAt: stream.AfterEnd}}},
		{"client reads slowly", script{Client: side{Read: crawl}, Server: side{Size: bulk}}},
		{"both read slowly", script{Client: side{Size: bulk, Read: crawl}, Server: side{Size: bulk, Read: crawl}}},
	}
}

// conversations checks shapes, and random scripts.
func conversations(z size) (list []check) {
	for _, shape := range shapes(z.bulk) {
		when := always
		if strings.HasSuffix(shape.name, "slowly") {
			when |= waits
		}
		list = append(list, check{"conversation/" + shape.name, when, func(r *rig) error {
			return r.converse(&shape.script)
		}})
	}
	return append(list,
		check{"conversation/random", always, func(r *rig) error { return r.randomConversations(z.random) }},
		check{"conversation/small buffers", always | waits, smallBuffers},
	)
}

func (r *rig) randomConversations(n int) error {
	rng := rand.New(rand.NewPCG(uint64(n), 7))
	for i := range n {
		s := stream.Random(rng, 1<<18)
		if err := r.converse(&s); err != nil {
			return fmt.Errorf("random script %d, %+v: %w", i, s, err)
		}
	}
	return nil
}

// smallBuffers makes windows of a few kilobytes at all four sockets, so that they
// close all the time.
func smallBuffers(r *rig) error {
	s, err := r.newSession()
	if err != nil {
		return err
	}
	defer s.close()
	for _, c := range []*net.TCPConn{s.client, s.server, s.pair.Client, s.pair.Backend} {
		if err := c.SetReadBuffer(4 << 10); err != nil {
			return err
		}
		if err := c.SetWriteBuffer(4 << 10); err != nil {
			return err
		}
	}
	sc := script{Client: side{Size: 100_000, Read: stream.Ragged}, Server: side{Size: 100_000, Read: stream.Ragged}}
	return s.play(&sc, 0)
}

// converse plays a script over a session of its own.
func (r *rig) converse(sc *script) error {
	s, err := r.newSession()
	if err != nil {
		return err
	}
	defer s.close()
	if sc.Seed == 0 {
		r.mu.Lock()
		r.seed++
		sc.Seed = r.seed
		r.mu.Unlock()
	}
	return s.play(sc, 0)
}

// checkEnd looks at what Forward has told about a conversation that came whole.
func (s *session) checkEnd(sc *script) error {
	if s.end.Err != nil {
		return fmt.Errorf("end with %q: %w", s.end.Cause, s.end.Err)
	}
	for _, cause := range impossible(sc) {
		if s.end.Cause == cause {
			return fmt.Errorf("got cause %q, although the other side ended first", cause)
		}
	}
	if s.end.Cause != engine.ClientClosed && s.end.Cause != engine.BackendClosed {
		return fmt.Errorf("got cause %q of a conversation that came whole", s.end.Cause)
	}
	want := [2]int64{
		engine.Up:   s.settling + sc.Client.Size - int64(s.pair.Taken),
		engine.Down: s.settling + sc.Server.Size,
	}
	for _, d := range []engine.Direction{engine.Up, engine.Down} {
		if got := s.pair.Moved(d); got != uint64(want[d]) {
			return fmt.Errorf("got %d bytes moved %v, want %d", got, d, want[d])
		}
		if !s.pair.Ended(d) {
			return fmt.Errorf("direction %v is not marked as ended", d)
		}
	}
	return nil
}

// impossible lists the causes that a script rules out.
func impossible(sc *script) (causes []engine.Cause) {
	if sc.Client.EndAt == stream.AfterEnd || sc.Client.Start == stream.AfterEnd {
		causes = append(causes, engine.ClientClosed)
	}
	if sc.Server.EndAt == stream.AfterEnd || sc.Server.Start == stream.AfterEnd {
		causes = append(causes, engine.BackendClosed)
	}
	return causes
}
