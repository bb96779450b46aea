package uring

import (
	"testing"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/forward/engine/enginetest"
	"github.com/waggle-bpf/waggle/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestConformance(t *testing.T) {
	enginetest.Run(t, func(t testing.TB) engine.Engine { return open(t, Options{}) }, enginetest.Options{})
}

func open(t testing.TB, o Options) *Engine {
	t.Helper()
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}
