//go:build linux

package forward

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

// memory is what a process has for itself, and its share of what it has in common
// with others, in bytes (PSS).
func memory(t *testing.T, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); f[0] == "Pss:" {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatal("no Pss in smaps_rollup")
	return 0
}

// TestSlowReaders: what clients don't read is not read from the backend. All that it
// has sent and they have not read lies in some buffer, so counting it bounds memory.
func TestSlowReaders(t *testing.T) {
	testkit.RequireRoot(t)
	const (
		readers  = 8
		buffered = 48 << 20 // for each: all sockets' buffers on the way
		own      = 64 << 20 // the forwarder's
	)
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			var sent, read atomic.Int64
			var over atomic.Bool
			serve(t, echoPort, func(c *net.TCPConn) {
				for buf := make([]byte, 64<<10); !over.Load(); {
					_ = c.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
					n, err := c.Write(buf)
					sent.Add(int64(n))
					if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
						return
					}
				}
			})
			f := startForwarder(t, echoVia(engine, "false"), echoFront)
			before := memory(t, f.PID())
			for range readers {
				c, err := net.Dial("tcp4", at(echoFront))
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				go func() {
					for buf := make([]byte, 8<<10); ; time.Sleep(100 * time.Millisecond) {
						n, err := c.Read(buf)
						read.Add(int64(n))
						if err != nil {
							return
						}
					}
				}()
			}
			var most, largest int64
			for end := time.Now().Add(scaled(time.Minute, 1500*time.Millisecond)); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
				most = max(most, sent.Load()-read.Load())
				largest = max(largest, memory(t, f.PID()))
			}
			over.Store(true)
			t.Logf("%d MiB are on their way at most; the forwarder has grown by %d KiB", most>>20, (largest-before)>>10)
			if most > readers*buffered {
				t.Errorf("%d MiB are on their way, more than %d", most>>20, readers*buffered>>20)
			}
			if largest-before > own {
				t.Errorf("the forwarder has grown by %d MiB, more than %d", (largest-before)>>20, own>>20)
			}
			if read.Load() == 0 {
				t.Error("nothing has come")
			}
			f.Interrupt()
		})
	}
}

// headConfig waits for a client's first byte before it decides.
const headConfig = `
listeners:
  echo:
    address: 127.0.0.1:8007
    engine: auto
    routes: [{prefix: "hex:00", to: echo}]
groups:
  echo: ["127.0.0.1:9007"]
timeouts: {header: 10m}
drain: 1s
`

// TestSilentClients: clients that connect and say nothing don't slow down those that
// do.
func TestSilentClients(t *testing.T) {
	testkit.RequireRoot(t)
	startEcho(t)
	f := startForwarder(t, headConfig, echoFront)
	silent := silentClients(scaled(50_000, 2000))
	base := slowest(t)
	for i := range silent {
		c, err := net.Dial("tcp4", at(echoFront))
		if err != nil {
			t.Fatalf("silent client %d of %d: %v", i, silent, err)
		}
		defer c.Close()
	}
	const (
		attempts = 5
		noise    = 5 * time.Millisecond // of a machine that does other things, too
	)
	var p99 time.Duration
	for range attempts {
		p99 = slowest(t)
		t.Logf("99th percentile: %v, with %d silent clients %v", base, silent, p99)
		if p99 <= 2*base+noise {
			f.idle(t)
			f.Interrupt()
			return
		}
	}
	t.Errorf("%d silent clients make the 99th percentile %v instead of %v", silent, p99, base)
}

// silentClients is how many clients there can be, of those wanted: each takes a file
// here, and one in the forwarder.
func silentClients(wanted int) int {
	limit := fileLimit()
	const others = 1000
	return min(wanted, limit-others)
}

// slowest lets clients come one after the other, make a round trip and go, and
// returns how long the slowest of a hundred takes.
func slowest(t *testing.T) time.Duration {
	t.Helper()
	times := make([]time.Duration, 500)
	for i := range times {
		start := time.Now()
		k, err := dialTalker(echoFront)
		if err == nil {
			times[i] = time.Since(start)
			err = k.end()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(times)
	return times[len(times)*99/100]
}
