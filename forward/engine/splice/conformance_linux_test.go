package splice

import (
	"testing"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/forward/engine/enginetest"
)

func TestConformance(t *testing.T) {
	enginetest.Run(t, func(testing.TB) engine.Engine { return New(Options{}) }, enginetest.Options{})
}

// TestConformanceWithoutPipes is what happens to an engine that gets hardly any.
func TestConformanceWithoutPipes(t *testing.T) {
	enginetest.Run(t, func(testing.TB) engine.Engine { return New(Options{MaxPipes: 1}) }, enginetest.Options{Loopback: true})
}
