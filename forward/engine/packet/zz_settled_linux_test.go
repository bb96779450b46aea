package packet

import (
	"testing"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/forward/engine/enginetest"
)

func TestSettledZZ(t *testing.T) {
	enginetest.Run(t, func(t testing.TB) engine.Engine { return open(t) }, enginetest.Options{
		Settled: func(p *engine.Pair) bool { return p.State().Engine == Name },
	})
}
