package forward

import (
	"fmt"
	"sync"
	"time"
)

// notices tells the operator what can't be seen in the access log.
type notices struct {
	out func(string) // may be nil

	mu   sync.Mutex
	last map[string]*repeated
}

// repeated is a notice that may come again and again.
type repeated struct {
	told   time.Time
	silent int // how often it was kept back since
}

// notePause is how often the same notice is told at most.
const notePause = time.Minute

func (n *notices) notice(format string, args ...any) {
	if n.out != nil {
		n.out(fmt.Sprintf(format, args...))
	}
}

// limited is notice for what may happen thousands of times a second. Key is what makes
// two of them the same, one of a few.
func (n *notices) limited(key, format string, args ...any) {
	n.mu.Lock()
	if n.last == nil {
		n.last = make(map[string]*repeated)
	}
	r := n.last[key]
	if r == nil {
		r = new(repeated)
		n.last[key] = r
	}
	now := time.Now()
	if now.Sub(r.told) < notePause {
		r.silent++
		n.mu.Unlock()
		return
	}
	silent := r.silent
	*r = repeated{told: now}
	n.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	if silent > 0 {
		text += fmt.Sprintf(" (%d times more in the meantime)", silent)
	}
	n.notice("%s", text)
}
