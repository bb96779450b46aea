package sockmap

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/forward/engine/copy"
	"github.com/waggle-bpf/waggle/forward/engine/sockmap/kern"
)

// lane moves what the kernel leaves to user space in one direction: a pump.Mover
// that keeps it in order with what was redirected.
type lane struct {
	*copy.Mover
	pair         *pair
	state        *kern.Lane
	source, sink *end

	read    uint64 // of the bytes passed
	settled uint64 // of the bytes redirected, those that the sink is known to have
}

var errBroken = errors.New("the kernel has dropped data")

// Fill reads what the program has passed. At the end of the stream it sees to it
// that the sink has everything.
func (l *lane) Fill(socket int) (int, error) {
	n, err := l.take(socket)
	if n > 0 || err != nil {
		return n, err
	}
	return l.finish(socket)
}

func (l *lane) take(socket int) (int, error) {
	n, err := l.Mover.Fill(socket)
	if atomic.LoadUint32(&l.state.Broken) != 0 {
		if n > 0 {
			l.Drop()
		}
		return 0, errBroken
	}
	l.read += uint64(n)
	return n, err
}

// Drain writes, behind everything redirected before.
func (l *lane) Drain(socket int) (int, error) {
	if err := l.settle(socket); err != nil {
		return 0, err
	}
	n, err := l.Mover.Drain(socket)
	if n > 0 {
		l.wrote(socket, n)
	}
	return n, err
}

// wrote tells the program what it need not wait for any more. When that is all,
// it may redirect again.
func (l *lane) wrote(socket, n int) {
	written := l.state.Written + uint64(n)
	if written == atomic.LoadUint64(&l.state.Passed) {
		l.sink.open(socket)
	}
	atomic.StoreUint64(&l.state.Written, written)
}

// finish ends the stream. The source tells of its end before the program's last
// data, if that is queued behind what is redirected to the source.
func (l *lane) finish(socket int) (n int, err error) {
	if err := l.audit(socket); err != nil {
		return 0, err
	}
	err = l.await("pass on", func() (left uint64, err error) {
		if n, err = l.take(socket); n > 0 || err != nil && err != unix.EAGAIN {
			return 0, err
		}
		return atomic.LoadUint64(&l.state.Passed) - l.read, nil
	})
	if n > 0 || err != nil {
		return n, err
	}
	return 0, l.sink.control(l.settle)
}

// audit compares what the source has received with what the program has seen.
func (l *lane) audit(socket int) error {
	info, err := tcpInfo(socket)
	if err != nil {
		return err
	}
	received := info.Bytes_received - l.source.start.received
	seen := atomic.LoadUint64(&l.state.Redirected) + atomic.LoadUint64(&l.state.Passed)
	switch received - seen {
	case 1: // the FIN counts
		return nil
	case 0: // no FIN has come
		return unix.ECONNRESET
	}
	return fmt.Errorf("%w: %d bytes were received, %d were seen", errBroken, received, seen)
}

// settle waits until the sink has everything redirected: then what user space writes
// comes behind it. Nothing is redirected meanwhile, because there is something to
// write, or nothing more to come.
func (l *lane) settle(sink int) error {
	redirected := atomic.LoadUint64(&l.state.Redirected)
	if redirected == l.settled {
		return nil
	}
	want := l.sink.start.queued + redirected + l.state.Written
	err := l.await("send", func() (uint64, error) {
		got, alive, err := queued(sink)
		if err != nil || !alive || got >= want {
			return 0, err // a sink that is closed tells whoever writes to it
		}
		return want - got, nil
	})
	if err == nil {
		l.settled = redirected
	}
	return err
}

// Waiting for the kernel's workers: they take microseconds, or a few milliseconds
// when they have to try again.
const (
	spins    = 10
	minPause = 20 * time.Microsecond
	maxPause = 2 * time.Millisecond
	stalled  = 30 * time.Second
)

// await waits until nothing is left. It gives up when that does not become less, and
// returns EAGAIN when the pair is aborted.
func (l *lane) await(what string, left func() (uint64, error)) error {
	var last uint64
	pause, since := minPause, time.Now()
	for try := 0; ; try++ {
		n, err := left()
		if n == 0 || err != nil {
			return err
		}
		if l.pair.conn.Aborted() != "" {
			return unix.EAGAIN
		}
		switch now := time.Now(); {
		case n != last:
			last, since = n, now
		case now.Sub(since) > stalled:
			return fmt.Errorf("the kernel has %d bytes left to %s for %v", n, what, stalled)
		}
		if try < spins {
			runtime.Gosched()
			continue
		}
		time.Sleep(pause)
		pause = min(2*pause, maxPause)
	}
}
