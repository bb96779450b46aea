//go:build linux

package forward

import (
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/forward/admin"
	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/command"
)

// replacements are the ways to replace a forwarder, or what it goes by, while it serves.
var replacements = []struct {
	name string
	do   func(f *forwarder, t *testing.T, round int)
}{
	{"take over", (*forwarder).takeOver},
	{"upgrade", (*forwarder).upgrade},
	{"reload", (*forwarder).reload},
}

// TestReplaced replaces the forwarder again and again, while clients come at a given
// rate and others stay: nobody is turned away, and spliced connections go on.
//
//	WAGGLE_LONG=1 go test ./tests/forward -run TestReplaced -v
func TestReplaced(t *testing.T) {
	testkit.RequireRoot(t)
	startEcho(t)
	for _, way := range replacements {
		t.Run(way.name, func(t *testing.T) {
			f := startForwarder(t, echoVia("packet", "true"), echoFront)
			stay := gather(t, echoFront, scaled(100, 20), 50*time.Millisecond)
			stay.spliced(t)
			v := visit(echoFront, scaled(1000, 300))
			rounds := scaled(20, 2)
			for i := range rounds {
				v.wait(t, int64(v.perSecond)/2)
				way.do(f, t, i)
			}
			v.wait(t, int64(v.perSecond)/2)
			v.end(t)
			t.Logf("%s, %d times: %d clients came, %.0f a second; %d failed, the slowest took %v",
				way.name, rounds, v.came.Load(), v.rate(), v.failed.Load(), v.slowest.load().Round(time.Millisecond))
			stay.progress(t, 3)
			stay.disperse(t)
			f.idle(t)
			f.end(t)
		})
	}
}

// takeOver starts another forwarder, which takes over from this one.
func (f *forwarder) takeOver(t *testing.T, round int) {
	t.Helper()
	old := f.Process
	f.Process = command.Start(t, "forward", "--config", f.file, "--admin", f.admin, "--take-over")
	f.Expect("took over from forwarder")
	if code := old.Wait(); code != 0 {
		t.Errorf("replacement %d: the old forwarder ended with code %d", round, code)
	}
}

// upgrade makes the forwarder start its successor itself. All of them write to the
// outputs of the first one.
func (f *forwarder) upgrade(t *testing.T, round int) {
	t.Helper()
	old := f.pid(t)
	asked := command.Start(t, "forward", "upgrade", "--admin", f.admin)
	asked.Expect(`^forwarder \d+ serves$`)
	if code := asked.Wait(); code != 0 {
		t.Errorf("upgrade %d ended with code %d", round, code)
	}
	f.Expect(fmt.Sprintf("took over from forwarder %d$", old))
	eventually(t, "the old forwarder's end", func() bool { return hasEnded(old) })
	if f.pid(t) == old {
		t.Error("the old forwarder still has the admin socket")
	}
}

// reload gives the forwarder another configuration. Its connections keep the old one.
func (f *forwarder) reload(t *testing.T, round int) {
	t.Helper()
	write(t, f.file, echoVia([]string{"splice", "packet"}[round%2], "true"))
	f.Signal(syscall.SIGHUP)
	f.Expect("configuration loaded")
}

// pid is the process that has the admin socket.
func (f *forwarder) pid(t *testing.T) int {
	t.Helper()
	s, err := admin.Status(f.admin, 0)
	if err != nil {
		t.Fatal(err)
	}
	return s.PID
}

// end ends the forwarder, whichever process that is by now.
func (f *forwarder) end(t *testing.T) {
	t.Helper()
	pid := f.pid(t)
	if pid == f.PID() {
		f.Interrupt()
		return
	}
	if err := syscall.Kill(pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the last forwarder's end", func() bool { return hasEnded(pid) })
}

// visitors are clients that come one after the other at a rate, make a round trip and
// go.
type visitors struct {
	perSecond    int
	over         atomic.Bool
	came, failed atomic.Int64
	first        atomic.Pointer[error]
	slowest      longest
	running      sync.WaitGroup
	start, stop  time.Time
}

// longest is the longest of some durations.
type longest struct{ atomic.Int64 }

func (l *longest) note(d time.Duration) {
	for {
		before := l.Load()
		if int64(d) <= before || l.CompareAndSwap(before, int64(d)) {
			return
		}
	}
}

func (l *longest) load() time.Duration { return time.Duration(l.Load()) }

// visit lets clients come until the test ends them.
func visit(port uint16, perSecond int) *visitors {
	v := &visitors{perSecond: perSecond, start: time.Now()}
	v.running.Go(func() {
		every := time.Second / time.Duration(perSecond)
		for next := v.start; !v.over.Load(); next = next.Add(every) {
			time.Sleep(time.Until(next)) // not at all if it is late
			v.running.Go(func() { v.call(port) })
		}
	})
	return v
}

func (v *visitors) call(port uint16) {
	start := time.Now()
	k, err := dialTalker(port)
	if err == nil {
		err = k.end()
	}
	v.slowest.note(time.Since(start))
	if err != nil {
		v.failed.Add(1)
		v.first.CompareAndSwap(nil, &err)
	}
	v.came.Add(1)
}

// wait waits until n more have come and gone.
func (v *visitors) wait(t *testing.T, n int64) {
	t.Helper()
	from := v.came.Load()
	eventually(t, fmt.Sprintf("%d clients", n), func() bool { return v.came.Load() >= from+n })
}

// end stops them, and wants none to have failed.
func (v *visitors) end(t *testing.T) {
	t.Helper()
	v.over.Store(true)
	v.running.Wait()
	v.stop = time.Now()
	if n := v.failed.Load(); n > 0 {
		t.Errorf("%d of %d clients failed, first: %v", n, v.came.Load(), *v.first.Load())
	}
}

// rate is how many came in a second.
func (v *visitors) rate() float64 { return float64(v.came.Load()) / v.stop.Sub(v.start).Seconds() }
