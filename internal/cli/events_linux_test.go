package cli

import (
	"bytes"
	"context"
	"runtime"
	"strings"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/load"
)

// TestEventsBeforeTheReader interrupts the command before its readers have begun:
// what is in the buffers is printed all the same.
func TestEventsBeforeTheReader(t *testing.T) {
	testkit.RequireRoot(t)
	// A new goroutine now runs when this one waits, not before.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	obj, err := load.Open("../../load/testdata/events.o")
	if err != nil {
		t.Fatal(err)
	}
	if err := obj.Set("batch", 1); err != nil {
		t.Fatal(err)
	}
	h, err := obj.Load(load.Options{})
	testkit.Need(t, err)
	defer h.Close()
	var stdout, stderr bytes.Buffer
	out, err := newEventPrinter(&env{stdout: &stdout, stderr: &stderr}, h, new(loadCmd))
	if err != nil {
		t.Fatal(err)
	}
	defer out.close()
	p, err := h.Program("emit_ring")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Run(&ebpf.RunOptions{Data: make([]byte, 64)}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	out.run(ctx)
	out.drain()
	if err := out.summary(); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(stdout.String(), "ring: {") || !strings.Contains(stderr.String(), "ring: 1 events, 0 lost\n") {
		t.Errorf("stdout %q, stderr %q", &stdout, &stderr)
	}
}
