package packet

import (
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/forward/engine/packet/kern"
)

// adopt takes over the pairs of processes that have ended: those spliced are followed
// to their end, those that were not have ended with the process. It notes whether there
// are pairs of others that live.
func (e *Engine) adopt() {
	alive := map[owner]bool{nobody: true, e.slots.me: true}
	adopted, others := false, false
	for slot := range e.slots.meters {
		slot := uint32(slot)
		who := e.slots.owner(slot)
		lives, known := alive[who]
		if !known {
			lives = e.kernel.owners.lives(who)
			alive[who] = lives
			others = others || lives
		}
		if !lives && e.slots.claim(slot, who) {
			e.adoptSlot(slot)
			adopted = true
		}
	}
	if adopted {
		e.devices.removeStale()
	}
	e.others.Store(others)
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
	p.note = c.Note.Text[:min(c.Note.Len, engine.MaxNote)]
	if !p.spliced() {
		e.remove(p)
		return
	}
	e.counters.adopted.Add(1)
	p.seen.Store(true)
	e.mu.Lock()
	e.pairs[slot] = p
	e.orphans = append(e.orphans, p)
	e.mu.Unlock()
	p.look()
}

// Adopt returns the pairs that were taken over from other processes.
func (e *Engine) Adopt() (list []engine.Adoption) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range e.orphans {
		if !p.isOver() {
			list = append(list, p.adoption())
			e.claimed[p.conn] = p
		}
	}
	e.orphans = nil
	return list
}

// adoption makes a connection of an adopted pair.
func (p *pair) adoption() engine.Adoption {
	silent := monotonic() - time.Duration(atomic.LoadUint64(&p.meter.Last))
	p.conn = &engine.Pair{}
	for d, n := range p.meter.Before {
		p.conn.Counter(engine.Direction(d)).Store(n)
	}
	p.conn.SetMeter(p)
	p.conn.SetOutlives()
	p.conn.SetState(Name, "adopted")
	client, backend := &p.tuples[kern.Client], &p.tuples[kern.Backend]
	return engine.Adoption{
		Pair: p.conn, Note: p.note,
		Client:  netip.AddrPortFrom(netip.AddrFrom16(client.Peer).Unmap(), client.PeerPort.Host()),
		Local:   netip.AddrPortFrom(netip.AddrFrom16(client.Local).Unmap(), client.LocalPort.Host()),
		Backend: netip.AddrPortFrom(netip.AddrFrom16(backend.Peer).Unmap(), backend.PeerPort.Host()),
		Active:  time.Now().Add(-silent),
	}
}

// follow waits for the end of a pair that Adopt has returned.
func (e *Engine) follow(p *engine.Pair) engine.End {
	e.mu.Lock()
	pr := e.claimed[p]
	delete(e.claimed, p)
	e.mu.Unlock()
	if pr == nil {
		return engine.End{Err: engine.Refuse("no such pair was adopted", nil)}
	}
	return pr.wait()
}

// reserve keeps the ports of adopted connections to backends from others, as soon as
// that can be done.
func (e *Engine) reserve() {
	for _, p := range e.all() {
		if !p.adopted || p.reserved != nil {
			continue
		}
		var r *reservation
		_ = e.kernel.ns.do(func() (err error) {
			r, err = reserve(&p.tuples[kern.Backend])
			return err
		})
		e.mu.Lock()
		if e.pairs[p.slot] == p {
			p.reserved, r = r, nil
		}
		e.mu.Unlock()
		r.close()
	}
}
