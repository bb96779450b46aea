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
	p := &pair{engine: e, slot: slot, meter: e.slots.meter(slot), adopted: true, over: make(chan struct{})}
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
	p.seen.Store(true)
	e.know(p)
	p.look()
}

// reserve keeps the ports of adopted connections to backends from others, as soon as
// that can be done.
func (e *Engine) reserve() {
	for _, p := range e.all() {
		if p.adopted && p.reserved == nil {
			_ = e.kernel.ns.do(func() (err error) {
				p.reserved, err = reserve(&p.tuples[kern.Backend])
				return err
			})
		}
	}
}
