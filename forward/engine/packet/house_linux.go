package packet

import (
	"context"
	"maps"
	"slices"
	"time"
)

// The programs tell what has become of pairs, so that nothing has to be asked for while
// bytes move. But they tell the process whose programs they are: that is the one that
// was started last, while another one may still have pairs. And a ring may be full. So
// the engine also looks by itself: now and then, and often when it has found what it
// had not been told, or when another process may leave pairs behind, whose ports the
// kernel keeps for a few seconds only.
const (
	seldom = 2 * time.Second
	often  = 200 * time.Millisecond
)

// listen looks at the pairs that the programs tell of.
func (e *Engine) listen() {
	for slot := range e.events.All(context.Background()) {
		e.mu.Lock()
		p := e.pairs[*slot]
		e.mu.Unlock()
		if p != nil && p.look() {
			e.deaf.Store(false)
		}
	}
}

// keepHouse sees what has become of the pairs, lets those go that have lingered, and
// adopts the pairs of processes that have ended.
func (e *Engine) keepHouse() {
	timer := time.NewTimer(e.pause())
	defer timer.Stop()
	for looked := time.Now(); ; {
		select {
		case <-e.stop:
			return
		case <-e.lingers:
			timer.Reset(often)
		case now := <-timer.C:
			e.dismiss(now)
			late := now.Sub(looked) >= seldom
			if late || e.deaf.Load() {
				e.review()
			}
			if late || e.others.Load() {
				e.adopt()
				e.reserve()
			}
			if late {
				looked = now
			}
			timer.Reset(e.pause())
		}
	}
}

// pause is for how long there is nothing to do.
func (e *Engine) pause() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.deaf.Load() || e.others.Load() || len(e.leaving) > 0 {
		return often
	}
	return seldom
}

// review looks at all pairs.
func (e *Engine) review() {
	for _, p := range e.all() {
		if p.look() {
			e.deaf.Store(true)
		}
	}
}

// all returns the pairs that are linked.
func (e *Engine) all() []*pair {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Collect(maps.Values(e.pairs))
}

// linger keeps the entries of a pair that is over for a while.
func (e *Engine) linger(p *pair) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lingerLocked(p)
}

func (e *Engine) lingerLocked(p *pair) {
	delete(e.pairs, p.slot)
	p.leave = time.Now().Add(e.opts.Linger)
	e.leaving = append(e.leaving, p)
	if len(e.leaving) == 1 {
		select {
		case e.lingers <- struct{}{}:
		default:
		}
	}
}

// dismiss removes the entries of pairs that have lingered.
func (e *Engine) dismiss(now time.Time) {
	for {
		e.mu.Lock()
		if len(e.leaving) == 0 || now.Before(e.leaving[0].leave) {
			e.mu.Unlock()
			return
		}
		p := e.leaving[0]
		e.leaving = e.leaving[1:]
		e.mu.Unlock()
		e.remove(p)
	}
}
