package packet

import (
	"testing"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/forward/engine/enginetest"
)

// TestConformance has pairs that are spliced sooner or later or not at all, as it
// comes, and such that are spliced before they are looked at.
func TestConformance(t *testing.T) {
	enginetest.Run(t, func(t testing.TB) engine.Engine { return open(t, Options{}) }, enginetest.Options{
		Settled: func(p *engine.Pair) bool { return p.State().Engine == Name },
	})
}
