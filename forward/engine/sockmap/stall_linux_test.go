package sockmap

import (
	"fmt"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/stream"
)

// TestNeverStalls lets pairs send both ways at once, as fast as they can, to readers
// that pause, through buffers of all sizes, while others are aborted in the midst of
// it and their slots are taken again. If a direction stands still, it tells all there
// is to know about the pair.
func TestNeverStalls(t *testing.T) {
	need(t)
	e := open(t)
	defer e.Close()
	const pairs = 6
	duration := 700 * time.Millisecond
	if testkit.Long() {
		duration = time.Minute
		burn(t)
	}
	until := time.Now().Add(duration)
	var all sync.WaitGroup
	var whole, aborted atomic.Int64
	for i := range uint64(pairs) {
		rng := rand.New(rand.NewPCG(i, uint64(time.Now().UnixNano())))
		all.Go(func() {
			for time.Now().Before(until) && !t.Failed() {
				s := newTrial(t, rng)
				if i%3 == 2 {
					s.breakOff(e, time.Duration(rng.Int64N(int64(5*time.Millisecond))))
					aborted.Add(1)
					continue
				}
				if err := s.play(e); err != nil {
					t.Error(err)
				}
				whole.Add(1)
			}
		})
	}
	all.Wait()
	t.Logf("%d pairs whole, %d aborted, %+v", whole.Load(), aborted.Load(), e.Stats())
	if got := e.Stats(); !t.Failed() && (got.Redirected == 0 || got.Copied == 0 || whole.Load() == 0) {
		t.Errorf("got %+v, want some redirected and some copied", got)
	}
}

// burn keeps all processors busy, each with two threads, until the test ends.
func burn(t *testing.T) {
	var stop atomic.Bool
	var threads sync.WaitGroup
	for i := range 2 * runtime.NumCPU() {
		threads.Go(func() {
			runtime.LockOSThread() // and end with it, for it stays pinned
			var set unix.CPUSet
			set.Set(i / 2)
			_ = unix.SchedSetaffinity(0, &set)
			for n := 0; !stop.Load(); n++ {
			}
		})
	}
	t.Cleanup(func() { stop.Store(true); threads.Wait() })
}

// trial is a session with random buffers and a random script for both ways at once.
type trial struct {
	*session
	script stream.Script
	ends   [2]*counted // the backend's and the client's: the readers of up and down
}

// counted counts what is read.
type counted struct {
	*net.TCPConn
	got atomic.Int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.TCPConn.Read(b)
	c.got.Add(int64(n))
	return n, err
}

// smallest is how small receive buffers may be. Windows that hold less than half of
// the loopback device's packets let TCP itself stand still, for 200 ms each time.
const smallest = 32 << 10

func newTrial(t *testing.T, rng *rand.Rand) *trial {
	s := &trial{session: newSession(t)}
	for _, c := range []*net.TCPConn{s.client, s.backend, s.pair.Client, s.pair.Backend} {
		if rng.IntN(2) == 0 {
			_ = c.SetWriteBuffer(4 << 10 << rng.IntN(9))
		}
		if rng.IntN(2) == 0 {
			_ = c.SetReadBuffer(smallest << rng.IntN(6))
		}
	}
	side := func() stream.Side {
		paces := []stream.Pace{{}, stream.Ragged, {Min: 100, Max: 3000}, {Min: 1, Max: 256 << 10, Pause: 20 * time.Millisecond, Every: 50}}
		return stream.Side{Size: rng.Int64N(2 << 20), Write: paces[rng.IntN(len(paces))], Read: paces[rng.IntN(len(paces))]}
	}
	s.script = stream.Script{Seed: rng.Uint64(), Client: side(), Server: side()}
	s.ends = [2]*counted{engine.Up: {TCPConn: s.backend}, engine.Down: {TCPConn: s.client}}
	return s
}

// breakOff aborts the pair while both sides send.
func (s *trial) breakOff(e *Engine, after time.Duration) {
	s.forward(e)
	deadline := time.Now().Add(patience)
	var ends sync.WaitGroup
	ends.Go(func() { s.script.PlayClient(s.client, deadline) })
	ends.Go(func() { s.script.PlayServer(s.backend, deadline) })
	time.Sleep(after)
	s.pair.Abort(engine.Shutdown)
	<-s.result
	s.client.Close()
	s.backend.Close()
	ends.Wait()
}

// play plays the script, and breaks it off when a direction stands still.
func (s *trial) play(e *Engine) error {
	done := make(chan struct{})
	still := make(chan error, 1)
	go func() { still <- s.watch(e, done) }()
	s.forward(e)
	err := s.script.Run(s.ends[engine.Down], s.ends[engine.Up], 10*time.Minute)
	close(done)
	if why := <-still; why != nil {
		return why
	}
	s.client.Close()
	s.backend.Close()
	end := <-s.result
	if refusal, ok := end.Refused(); ok && refusal == errHalfClosed {
		return nil
	}
	if err != nil || end.Err != nil {
		return fmt.Errorf("%+v: %w; ended as %q: %w", s.script, err, end.Cause, end.Err)
	}
	return nil
}

// stands is how long nothing moves in a direction that stands still.
const stands = 8 * time.Second

func (s *trial) watch(e *Engine, done chan struct{}) error {
	size := [2]int64{engine.Up: s.script.Client.Size, engine.Down: s.script.Server.Size}
	var last [2]int64
	since := [2]time.Time{time.Now(), time.Now()}
	for {
		select {
		case <-done:
			return nil
		case <-time.After(stands / 16):
		}
		for d, end := range s.ends {
			if n := end.got.Load(); n != last[d] || n == size[d] {
				last[d], since[d] = n, time.Now()
			} else if time.Since(since[d]) > stands {
				err := fmt.Errorf("%v: %d bytes of %d came, then none for %v\n%s", engine.Direction(d), n, size[d], stands, s.describe(e))
				s.pair.Abort(engine.Shutdown)
				s.client.Close()
				s.backend.Close()
				return err
			}
		}
	}
}

// describe tells the state of a pair: the engine's counters, and the sockets' queues.
func (s *trial) describe(e *Engine) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%+v\nstate %+v\n", s.script, s.pair.State())
	e.watcher.mu.Lock()
	for _, p := range e.watcher.pairs {
		if p != nil && p.conn == s.pair {
			fmt.Fprintf(&b, "up %+v\ndown %+v\n", *p.lanes[engine.Up].state, *p.lanes[engine.Down].state)
		}
	}
	e.watcher.mu.Unlock()
	for _, c := range []struct {
		name string
		*net.TCPConn
	}{{"client", s.client}, {"pair's client", s.pair.Client}, {"pair's backend", s.pair.Backend}, {"backend", s.backend}} {
		raw, err := c.SyscallConn()
		if err != nil {
			continue
		}
		err = raw.Control(func(fd uintptr) {
			info, _ := tcpInfo(int(fd))
			unread, _ := unix.IoctlGetInt(int(fd), unix.SIOCINQ)
			unacked, _ := unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
			fmt.Fprintf(&b, "%s: unread %d, unacked %d, room %d, %+v\n", c.name, unread, unacked, room(int(fd)), *info)
		})
		if err != nil {
			fmt.Fprintf(&b, "%s: %v\n", c.name, err)
		}
	}
	stacks := make([]byte, 64<<10)
	b.Write(stacks[:runtime.Stack(stacks, true)])
	return b.String()
}
