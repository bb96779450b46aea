package cli

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/wake/control"
)

// TestPrintWake prints one that is idle, and one in trouble.
func TestPrintWake(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	addr := netip.MustParseAddrPort
	var b strings.Builder
	for _, r := range []*control.Report{
		{
			PID: 42, Started: now.Add(-50 * time.Hour), Now: now, Listen: []netip.AddrPort{addr("[::]:8080")},
			Target: control.Target{To: "127.0.0.1:9090", Start: "exec:./server -p 9090", Ready: "http:/health"},
			State:  "ready", Since: now.Add(-3 * time.Minute), StopAt: now.Add(120 * time.Second),
			LastStart: control.Start{At: now.Add(-3 * time.Minute), Seconds: .5412},
			Counts:    control.Counts{Clients: 120, Forwarded: 120, Starts: 17, Stops: 16},
		},
		{
			PID: 43, Started: now.Add(-time.Hour), Now: now, Listen: []netip.AddrPort{addr("10.0.0.1:22")},
			Target: control.Target{To: "nas:22", Start: "wol:00:1b:21:0a:0b:0c", Stop: "exec:ssh nas poweroff", Ready: "ssh"},
			State:  "stopped", Since: now.Add(-2 * time.Second), RetryAt: now.Add(1500 * time.Millisecond),
			Held: 3, Waiting: []control.Client{{Source: addr("10.0.0.9:40000"), Since: now.Add(-61 * time.Second)}, {Source: addr("10.0.0.12:51514"), Since: now}},
			LastError: control.Problem{At: now.Add(-2 * time.Second), Error: "wait for target: not ready after 1m0s: dial nas:22: no answer in 2s"},
			Counts: control.Counts{
				Clients: 12, Forwarded: 2, Left: 3, Refused: map[string]uint64{"target failed": 3, "held too long": 1},
				Starts: 4, StartFailures: 2, Stops: 2, StopFailures: 1, Lost: 1,
			},
		},
	} {
		if err := printWake(&b, r); err != nil {
			t.Fatal(err)
		}
	}
	testkit.Golden(t, "testdata/wake_status.golden", []byte(b.String()))
}
