//go:build linux

package forward

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/forward/admin"
	"github.com/waggle-bpf/waggle/internal/testkit"
)

const echoFront uint16 = 8007

// echoConfig forwards to the echo server with one engine.
const echoConfig = `
listeners:
  echo: {address: "127.0.0.1:8007", engine: ENGINE, to: echo}
groups:
  echo: ["127.0.0.1:9007"]
metrics: 127.0.0.1:8900
drain: 20s
persist: PERSIST
`

func echoVia(engine string, persist string) string {
	return strings.NewReplacer("ENGINE", engine, "PERSIST", persist).Replace(echoConfig)
}

// TestKilled: connections that the kernel moves by itself don't notice that the
// forwarder is killed, nor that another one is started, which takes them over.
func TestKilled(t *testing.T) {
	testkit.RequireRoot(t)
	startEcho(t)
	f := startForwarder(t, echoVia("packet", "true"), echoFront)
	n := scaled(1000, 200)
	c := gather(t, echoFront, n, 100*time.Millisecond)
	c.spliced(t)

	f.Signal(syscall.SIGKILL)
	f.Wait()
	c.progress(t, scaled[int64](100, 10))

	f.start(t, echoFront)
	eventually(t, "the connections to be taken over", func() bool { return f.packetStat(t, "adopted") == n })
	c.progress(t, 5)
	c.disperse(t)
	// New connections are forwarded, too, beside those taken over.
	again := gather(t, echoFront, 20, 10*time.Millisecond)
	again.progress(t, 5)
	again.disperse(t)
	f.idle(t)
	f.Interrupt()
}

// packetStat is a number that engine packet tells in the forwarder's status.
func (f *forwarder) packetStat(t *testing.T, name string) int {
	t.Helper()
	s, err := admin.Status(f.admin, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range s.Engines {
		if stats, ok := e.Stats.(map[string]any); ok && e.Name == "packet" {
			n, _ := stats[name].(float64)
			return int(n)
		}
	}
	t.Fatal("the status has no engine packet")
	return 0
}

// idle waits until the kernel moves no connection any more. A forwarder that ends
// before leaves to the next one what the kernel needs for them.
func (f *forwarder) idle(t *testing.T) {
	t.Helper()
	eventually(t, "all connections to be over", func() bool { return f.packetStat(t, "active") == 0 })
}

// TestKilledUnspliced: with an engine that lives in the process, clients are told: the
// kernel resets or ends what the process had open, and nothing hangs.
func TestKilledUnspliced(t *testing.T) {
	testkit.RequireRoot(t)
	startEcho(t)
	f := startForwarder(t, echoVia("splice", "false"), echoFront)
	var talkers []*talker
	for range 20 {
		k, err := dialTalker(echoFront)
		if err != nil {
			t.Fatal(err)
		}
		defer k.conn.Close()
		talkers = append(talkers, k)
	}
	f.Signal(syscall.SIGKILL)
	f.Wait()
	for _, k := range talkers {
		start := time.Now()
		if err := k.trip(); err == nil || time.Since(start) > patience/2 {
			t.Errorf("got %v after %v, want an error soon", err, time.Since(start))
		}
	}
	f.start(t, echoFront)
	k, err := dialTalker(echoFront)
	if err != nil {
		t.Fatalf("after a restart: %v", err)
	}
	if err := k.end(); err != nil {
		t.Error(err)
	}
	f.Interrupt()
}
