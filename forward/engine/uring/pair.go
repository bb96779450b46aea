package uring

import "github.com/waggle-bpf/waggle/forward/engine"

// pair is a pair that a shard serves. Its shard's thread alone uses it, once it has
// been added there.
type pair struct {
	conn    *engine.Pair
	shard   *shard
	slot    int
	lanes   [2]lane
	pending int // requests that will complete
	broken  *engine.End
	// stopping is set when nothing more shall be moved.
	stopping, finished bool
	done               chan engine.End
}

func newPair(c *engine.Pair) (*pair, error) {
	p := &pair{conn: c, done: make(chan engine.End, 1)}
	for d := range p.lanes {
		l := &p.lanes[d]
		l.pair, l.d = p, engine.Direction(d)
		raw, err := c.Source(l.d).SyscallConn()
		if err != nil {
			return nil, err
		}
		err = raw.Control(func(fd uintptr) { p.lanes[l.d].source, p.lanes[l.d.Other()].sink = int(fd), int(fd) })
		if err != nil {
			return nil, err
		}
	}
	return p, nil
}

// proceed does what is to be done next, after anything has happened.
func (p *pair) proceed() {
	if p.finished {
		return
	}
	for again := true; again; {
		stopping := p.stopping
		for d := range p.lanes {
			p.lanes[d].proceed()
		}
		again = p.stopping != stopping // the first lane has to know
	}
	over := p.stopping || p.lanes[engine.Up].over && p.lanes[engine.Down].over
	if !over || p.pending > 0 {
		return
	}
	p.finished = true
	for d := range p.lanes {
		p.lanes[d].drop()
	}
	p.shard.remove(p)
	p.done <- p.end()
}

// stop ends a pair soon, whatever it does.
func (s *shard) stop(p *pair) {
	if !p.finished {
		p.stopping = true
		p.proceed()
	}
}

func (p *pair) end() engine.End {
	if p.broken != nil {
		p.conn.Reset()
		return *p.broken
	}
	if p.conn.Ended(engine.Up) && p.conn.Ended(engine.Down) {
		return p.conn.Closed()
	}
	p.conn.Reset()
	return engine.End{Cause: p.conn.Aborted()}
}

// breaks records a failure; the first one is what the pair ended with.
func (p *pair) breaks(cause engine.Cause, err error) {
	if p.broken == nil {
		p.broken = &engine.End{Cause: cause, Err: err}
	}
}
