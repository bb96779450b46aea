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

// steps is how many lines tell of the time that passes while the service is idle.
const steps = 12

// step is the time between two of these lines: a twelfth of the whole, 5 s of 1 m.
func step(idle time.Duration) time.Duration {
	return max((idle / steps).Round(time.Second), time.Second)
}
