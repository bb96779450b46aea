package forward

import (
	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/forward/engine/copy"
	"github.com/waggle-bpf/waggle/forward/engine/packet"
	"github.com/waggle-bpf/waggle/forward/engine/sockmap"
	"github.com/waggle-bpf/waggle/forward/engine/splice"
	"github.com/waggle-bpf/waggle/forward/engine/uring"
)

// byMerit are the engines that auto tries, the best first. The others are for those
// who ask for them: sockmap and uring are no faster for most, and have limits.
var byMerit = []string{packet.Name, splice.Name, copy.Name}

// takesAny is the engine that refuses no pair.
const takesAny = splice.Name

// makers make the engines.
func makers() map[string]func(*engines) (engine.Engine, error) {
	return map[string]func(*engines) (engine.Engine, error){
		copy.Name: func(*engines) (engine.Engine, error) { return copy.New(), nil },
		splice.Name: func(e *engines) (engine.Engine, error) {
			return splice.New(splice.Options{MaxPipes: e.options.pipes}), nil
		},
		sockmap.Name: func(*engines) (engine.Engine, error) { return some(sockmap.New(sockmap.Options{})) },
		uring.Name:   func(*engines) (engine.Engine, error) { return some(uring.New(uring.Options{})) },
		packet.Name:  newPacket,
	}
}

func newPacket(e *engines) (engine.Engine, error) {
	return some(packet.New(packet.Options{
		NoPersist: !e.options.persist, Mover: e.mover(), Switched: e.options.switched,
		Stayed: func(reason string) { e.options.refused(packet.Name, reason) },
	}))
}

// mover is what engine packet begins with: engine splice itself, so that there is one pool
// of pipes, and not more of them than we have files for.
func (e *engines) mover() packet.Mover {
	return lent{e.make(splice.Name).engine.(*splice.Engine)}
}

// lent is an engine that somebody else closes.
type lent struct{ *splice.Engine }

func (lent) Close() error { return nil }

// statsOf returns what an engine says of itself, nil if it says nothing.
func statsOf(e engine.Engine) any {
	switch e := e.(type) {
	case *splice.Engine:
		return e.Stats()
	case *sockmap.Engine:
		return e.Stats()
	case *packet.Engine:
		stats, err := e.Stats()
		if err != nil {
			return nil
		}
		return stats
	}
	return nil
}
