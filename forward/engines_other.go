//go:build !linux

package forward

import (
	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/forward/engine/copy"
)

// byMerit are the engines that auto tries.
var byMerit = []string{copy.Name}

// takesAny is the engine that refuses no pair.
const takesAny = copy.Name

// makers make the engines. The others are Linux's.
func makers() map[string]func(*engines) (engine.Engine, error) {
	return map[string]func(*engines) (engine.Engine, error){
		copy.Name: func(*engines) (engine.Engine, error) { return copy.New(), nil },
	}
}

// statsOf returns what an engine says of itself: nothing.
func statsOf(engine.Engine) any { return nil }
