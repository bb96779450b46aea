package packet

import "github.com/waggle-bpf/waggle/forward/engine/packet/kern"

// adopt takes over the pairs of processes that have ended: those spliced are followed
// to their end, those that were not have ended with the process.
func (e *Engine) adopt() {
	alive := map[owner]bool{nobody: true, e.slots.me: true}
	adopted := false
	for slot := range e.slots.meters {
		slot := uint32(slot)
		who := e.slots.owner(slot)
		lives, known := alive[who]
		if !known {
			lives = who.lives()
			alive[who] = lives
		}
		if !lives && e.slots.claim(slot, who) {
			e.adoptSlot(slot)
			adopted = true
		}
	}
	if adopted {
		e.devices.removeStale()
	}
}

// adoptSlot takes over what a slot holds.
func (e *Engine) adoptSlot(slot uint32) {
	p := &pair{engine: e, slot: slot, meter: e.slots.meter(slot), over: make(chan struct{})}
	c, err := e.kernel.pair(slot)
	if err != nil || c.State == kern.Unused {
		e.slots.give(slot)
		return
	}
	for i := range p.tuples {
		p.tuples[i] = c.Sides[i].Tuple
	}
	if !p.spliced() {
		e.remove(p)
		return
	}
	e.counters.adopted.Add(1)
	p.seen = true
	e.mu.Lock()
	e.pairs[slot] = p
	e.mu.Unlock()
}

// review looks at all pairs, and ends adopted ones that are over: nobody else waits
// for them.
func (e *Engine) review() {
	e.mu.Lock()
	pairs := make([]*pair, 0, len(e.pairs))
	for _, p := range e.pairs {
		pairs = append(pairs, p)
	}
	e.mu.Unlock()
	for _, p := range pairs {
		p.look()
		if p.conn != nil {
			continue
		}
		if p.isOver() {
			p.end()
			e.linger(p)
		} else if p.reserved == nil {
			p.reserved = e.reserve(&p.tuples[kern.Backend])
		}
	}
}

// reserve keeps the port of a connection to a backend from others; nil if it can't be
// done yet.
func (e *Engine) reserve(t *kern.Tuple) (r *reservation) {
	_ = e.kernel.ns.do(func() (err error) {
		r, err = reserve(t)
		return err
	})
	return r
}

func (p *pair) isOver() bool {
	select {
	case <-p.over:
		return true
	default:
		return false
	}
}
