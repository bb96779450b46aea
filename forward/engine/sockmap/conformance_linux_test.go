package sockmap

import (
	"testing"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/forward/engine/enginetest"
	"github.com/waggle-bpf/waggle/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func open(t testing.TB) *Engine {
	t.Helper()
	testkit.RequireRoot(t)
	e, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestConformance(t *testing.T) {
	enginetest.Run(t, func(t testing.TB) engine.Engine { return open(t) }, enginetest.Options{
		MayRefuse: []string{"half-closed already"},
	})
}
