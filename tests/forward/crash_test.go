//go:build linux

package forward

import (
	"strings"
	"syscall"
	"testing"
	"time"

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
drain: 1s
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
	spliced := func() bool {
		return metric(t, "waggle_forward_engine_connections", `engine="packet"`) == float64(n)
	}
	eventually(t, "all connections to be spliced", spliced)

	f.Signal(syscall.SIGKILL)
	f.Wait()
	c.progress(t, scaled[int64](100, 10))

	f.start(t, echoFront)
	c.progress(t, 5)
	c.disperse(t)
	// New connections are forwarded, too, beside those taken over.
	again := gather(t, echoFront, 20, 10*time.Millisecond)
	again.progress(t, 5)
	again.disperse(t)
	f.Interrupt()
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
