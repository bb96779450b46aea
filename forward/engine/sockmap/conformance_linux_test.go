package sockmap

import (
	"fmt"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/forward/engine/enginetest"
	"github.com/waggle-bpf/waggle/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// need skips the test where the engine can't run.
func need(t testing.TB) {
	t.Helper()
	testkit.RequireRoot(t)
	if err := checkKernel(); err != nil {
		old := func() bool { return true }
		testkit.Need(t, fmt.Errorf("%w: %w", err, ebpf.ErrNotSupported), testkit.Absence{Reason: "no floor for this kernel", Absent: old})
	}
}

func open(t testing.TB) *Engine {
	t.Helper()
	e, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestConformance(t *testing.T) {
	need(t)
	enginetest.Run(t, func(t testing.TB) engine.Engine { return open(t) }, enginetest.Options{
		MayRefuse: []string{"half-closed already"},
	})
}
