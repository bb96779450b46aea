package idle

import (
	"runtime"
	"runtime/debug"
	"sync/atomic"
)

// garbage collects garbage by the number of events, in a process that is to sleep when
// there are none: left alone, the collector runs every two minutes, for nothing.
type garbage struct {
	on      bool
	percent int // as it was
	limit   int64
	events  atomic.Int64
}

const (
	// perCollection events leave some 4 MB of garbage.
	perCollection = 4096
	// garbageLimit is for what is left by other things than events. Should more than
	// half of it be in use, it is raised.
	garbageLimit = 64 << 20
)

// takeOver stops collecting for the sake of time.
func (g *garbage) takeOver() {
	g.on = true
	g.percent = debug.SetGCPercent(-1)
	g.limit = debug.SetMemoryLimit(garbageLimit)
}

// giveBack leaves it to the runtime again.
func (g *garbage) giveBack() {
	if g.on {
		debug.SetGCPercent(g.percent)
		debug.SetMemoryLimit(g.limit)
	}
}

// event notes that something has happened.
func (g *garbage) event() {
	if !g.on || g.events.Add(1)%perCollection != 0 {
		return
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	debug.SetMemoryLimit(max(garbageLimit, 2*int64(m.HeapAlloc)))
}
