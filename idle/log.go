package idle

import (
	"fmt"
	"time"

	"github.com/waggle-bpf/waggle/idle/policy"
	"github.com/waggle-bpf/waggle/idle/watch"
)

// line writes an event down for people. Open is how many connections are open now.
func line(e *watch.Event, open int) string {
	switch e.Kind {
	case watch.Opened:
		if e.Found {
			return fmt.Sprintf("found %s on port %d; %d open", e.Client, e.Port, open)
		}
		return fmt.Sprintf("accepted %s on port %d; %d open", e.Client, e.Port, open)
	case watch.Closed:
		moved := "bytes unknown"
		if e.Bytes.Known {
			moved = fmt.Sprintf("%s in, %s out", watch.Size(e.Bytes.In), watch.Size(e.Bytes.Out))
		}
		return fmt.Sprintf("closed %s after %s: %s; %d open", e.Client, policy.Short(e.Time.Sub(e.Opened)), moved, open)
	}
	return fmt.Sprintf("refused %s on port %d: %s", e.Client, e.Port, e.Why)
}

func processes(n int) string {
	if n == 1 {
		return "1 process"
	}
	return fmt.Sprintf("%d processes", n)
}

// steps is how many lines tell of the time that passes while the service is idle.
const steps = 12

// step is the time between two of these lines: a twelfth of the whole, 5 s of 1 m.
func step(idle time.Duration) time.Duration {
	return max((idle / steps).Round(time.Second), time.Second)
}

// progress tells from time to time how long the service has been idle.
type progress struct {
	told time.Time
}

// next writes a line if it is time for one, and returns when to look again.
func (p *progress) next(d policy.Decision, log func(string, ...any)) time.Time {
	if d.Since.IsZero() {
		return d.Next
	}
	if p.told.Before(d.Since) {
		p.told = d.Since
	}
	now := time.Now()
	whole := d.StopAt.Sub(d.Since)
	step := step(whole)
	if n := now.Sub(p.told) / step; n > 0 {
		p.told = p.told.Add(n * step)
		log("idle for %s of %s", policy.Short(p.told.Sub(d.Since)), policy.Short(whole))
	}
	if next := p.told.Add(step); next.Before(d.Next) {
		return next
	}
	return d.Next
}
