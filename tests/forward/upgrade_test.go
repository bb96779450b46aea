//go:build linux

package forward

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/command"
)

// TestTakenOver replaces the forwarder again and again, while clients come at a given
// rate and others stay: nobody is turned away, and spliced connections go on.
func TestTakenOver(t *testing.T) {
	testkit.RequireRoot(t)
	startEcho(t)
	f := startForwarder(t, echoVia("packet", "true"), echoFront)
	stay := gather(t, echoFront, scaled(200, 50), 50*time.Millisecond)
	stay.spliced(t)
	v := visit(echoFront, scaled(1000, 300))
	for i := range scaled(10, 2) {
		v.wait(t, int64(v.perSecond)/2)
		old := f.Process
		f.Process = command.Start(t, "forward", "--config", f.file, "--admin", f.admin, "--take-over")
		f.Expect("took over from forwarder")
		if code := old.Wait(); code != 0 {
			t.Errorf("replacement %d: the old forwarder ended with code %d", i, code)
		}
	}
	v.wait(t, int64(v.perSecond)/2)
	v.end(t)
	stay.progress(t, 3)
	stay.disperse(t)
	f.idle(t)
	f.Interrupt()
}

// visitors are clients that come one after the other at a rate, make a round trip and
// go.
type visitors struct {
	perSecond    int
	over         atomic.Bool
	came, failed atomic.Int64
	first        atomic.Pointer[error]
	running      sync.WaitGroup
}

// visit lets clients come until the test ends them.
func visit(port uint16, perSecond int) *visitors {
	v := &visitors{perSecond: perSecond}
	v.running.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(perSecond))
		defer tick.Stop()
		for !v.over.Load() {
			<-tick.C
			v.running.Go(func() { v.call(port) })
		}
	})
	return v
}

func (v *visitors) call(port uint16) {
	k, err := dialTalker(port)
	if err == nil {
		err = k.end()
	}
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
	t.Logf("%d clients came", v.came.Load())
	if n := v.failed.Load(); n > 0 {
		t.Errorf("%d of %d clients failed, first: %v", n, v.came.Load(), *v.first.Load())
	}
}
