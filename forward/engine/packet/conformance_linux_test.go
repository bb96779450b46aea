package packet

import (
	"sync/atomic"
	"testing"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/forward/engine/enginetest"
)

func TestConformance(t *testing.T) {
	var spliced atomic.Int64
	enginetest.Run(t, func(t testing.TB) engine.Engine { return open(t) }, enginetest.Options{
		Ended: func(p *engine.Pair) error {
			if p.State().Engine == Name {
				spliced.Add(1)
			}
			return nil
		},
	})
	// Most conversations of the suite are too short.
	if spliced.Load() < 10 {
		t.Errorf("only %d pairs were spliced", spliced.Load())
	}
}
