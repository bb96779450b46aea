package sockmap

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/forward/engine/copy"
	"github.com/waggle-bpf/waggle/forward/engine/pump"
	"github.com/waggle-bpf/waggle/forward/engine/sockmap/kern"
)

// pair is a pair in the socket map.
type pair struct {
	conn   *engine.Pair
	slot   uint32
	number int32 // tells it from others that have had the slot
	ends   [2]end
	lanes  [2]*lane
	movers [2]pump.Mover
	meter  meter
}

// end is one of a pair's connections: the one that the direction of its index reads.
type end struct {
	raw    syscall.RawConn
	cookie uint64
	start  position
	// lane is that of which this end is the sink.
	lane   *kern.Lane
	broken atomic.Bool
}

// control does something with the connection's descriptor.
func (e *end) control(f func(fd int) error) error {
	var callErr error
	err := e.raw.Control(func(fd uintptr) { callErr = f(int(fd)) })
	return errors.Join(err, callErr)
}

// quiesce waits until the program is done with the connection, which is in the maps no
// more: it may have found its lane before. The program runs under the socket's lock,
// and who asks for TCP_INFO has to wait for that. A connection that is closed had it.
func (e *end) quiesce() {
	if e.raw == nil {
		return // it never was in a map
	}
	_ = e.control(func(fd int) error { _, err := tcpInfo(fd); return err })
}

// breaks closes the valve before a connection that takes nothing more. What comes
// next goes to user space, which finds out what there is to find out.
func (e *end) breaks() {
	e.broken.Store(true)
	atomic.StoreUint64(&e.lane.Limit, 0)
}

// widest is the limit of what may wait in the kernel in one direction, in the units
// of kern.Lane's Cost.
const widest = 512 << 10

// open opens the valve as far as the connection's send buffer goes, so that what is
// redirected to it always gets there. Data that the connection has received and the
// program has passed can be queued behind that, and must not wait for its peer to
// read. Nothing must be redirected meanwhile.
func (e *end) open(fd int) {
	atomic.StoreUint64(&e.lane.Limit, atomic.LoadUint64(&e.lane.Cost)+min(room(fd), widest))
	if e.broken.Load() {
		atomic.StoreUint64(&e.lane.Limit, 0)
	}
}

// enrol puts a pair into the maps. Its error is a refusal, and then it is as it was.
func (e *Engine) enrol(c *engine.Pair) (*pair, error) {
	slot, ok := e.slots.take()
	if !ok {
		return nil, engine.Refuse("socket map full", nil)
	}
	p := &pair{conn: c, slot: slot, number: int32(e.enrolled.Add(1))}
	p.meter.pair = p
	if err := e.enter(p); err != nil {
		e.withdraw(p)
		var refusal *engine.Refusal
		if !errors.As(err, &refusal) {
			err = engine.Refuse("not enrolled", err)
		}
		return nil, err
	}
	return p, nil
}

// enter does the steps of enrol.
func (e *Engine) enter(p *pair) error {
	for _, d := range directions {
		if err := p.prepare(e, d); err != nil {
			return fmt.Errorf("%v: %w", d, err)
		}
	}
	if err := e.watcher.add(p); err != nil {
		return err
	}
	for _, d := range directions {
		if err := e.kernel.Indexes.Put(p.ends[d].cookie, index(p.slot, d)); err != nil {
			return err
		}
	}
	// The client first: it is the one that may have sent its end already, and
	// such connections can't be in the map.
	if err := e.join(p, engine.Up); err != nil {
		return err
	}
	// Nothing was redirected yet, and the pair is not refused any more.
	p.conn.SetMeter(&p.meter)
	if err := e.join(p, engine.Down); err != nil {
		// The client can't leave again, what it has sent may have been passed
		// to it: its leaving would lose that.
		p.alone(e, err)
		return nil
	}
	p.conn.SetState(Name, "in the socket map")
	for d := range p.ends {
		end := &p.ends[d]
		if err := end.control(func(fd int) error { end.open(fd); return nil }); err != nil {
			end.breaks()
		}
	}
	for d := range p.ends {
		// A connection that can't be kicked is closed, and that will show.
		_ = p.ends[d].control(kick)
	}
	return nil
}

// prepare finds out all about the connection that a direction reads.
func (p *pair) prepare(e *Engine, d engine.Direction) error {
	own := &p.ends[d]
	own.lane = e.slots.lane(p.slot, d.Other())
	var err error
	if own.raw, err = p.conn.Source(d).SyscallConn(); err != nil {
		return err
	}
	err = own.control(func(fd int) (err error) {
		if err := suits(fd); err != nil {
			return err
		}
		if own.cookie, err = cookie(fd); err != nil {
			return err
		}
		own.start, err = positionOf(fd)
		return err
	})
	if err != nil {
		return err
	}
	state := e.slots.lane(p.slot, d)
	state.Next = own.start.seq
	p.lanes[d] = &lane{Mover: copy.NewMover(e.buffers), pair: p, state: state, source: own, sink: &p.ends[d.Other()]}
	p.movers[d] = p.lanes[d]
	return nil
}

var errHalfClosed = engine.Refuse("half-closed already", nil)

// suits tells why a connection can't be in a socket map.
func suits(fd int) error {
	protocol, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	if err != nil {
		return err
	}
	if protocol != unix.IPPROTO_TCP {
		return engine.Refuse("MPTCP", nil)
	}
	// The first letters of the name, 0 if there is none.
	upper, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_ULP)
	if err != nil {
		return err
	}
	if upper != 0 {
		return engine.Refuse("kernel TLS", nil)
	}
	info, err := tcpInfo(fd)
	if err != nil {
		return err
	}
	if info.State != unix.BPF_TCP_ESTABLISHED {
		return errHalfClosed
	}
	return nil
}

// join puts a connection into the socket map.
func (e *Engine) join(p *pair, d engine.Direction) error {
	err := e.kernel.Sockets.Put(index(p.slot, d), p.conn.Source(d))
	switch {
	case errors.Is(err, unix.EOPNOTSUPP):
		return errHalfClosed // meanwhile
	case errors.Is(err, unix.EBUSY):
		return engine.Refuse("in another socket map", err)
	}
	return err
}

// alone makes a pair of which only the client is in the map be copied.
func (p *pair) alone(e *Engine, why error) {
	p.conn.SetState(Name, fmt.Sprintf("copies: backend's connection: %v", why))
	p.ends[engine.Down].breaks()
	p.movers[engine.Down] = copy.NewMover(e.buffers)
	_ = p.ends[engine.Up].control(kick)
}

// dismiss takes a pair that has ended out of the maps.
func (e *Engine) dismiss(p *pair) {
	redirected, copied := p.meter.freeze()
	e.redirected.Add(redirected)
	e.copied.Add(copied)
	e.withdraw(p)
}

// withdraw undoes what enter has done. Sockets that were closed have left the map.
func (e *Engine) withdraw(p *pair) {
	if p.ends[engine.Down].raw != nil {
		e.watcher.remove(p)
	}
	for _, d := range directions {
		_ = e.kernel.Sockets.Delete(index(p.slot, d))
		_ = e.kernel.Indexes.Delete(p.ends[d].cookie)
	}
	for d := range p.ends {
		p.ends[d].quiesce()
	}
	e.slots.give(p.slot)
}

// meter tells what the kernel and user space have moved of a pair.
type meter struct {
	pair *pair

	mu     sync.Mutex
	frozen bool
	final  [2]uint64
}

// Moved returns the bytes moved in a direction.
func (m *meter) Moved(d engine.Direction) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.frozen {
		return m.final[d]
	}
	return atomic.LoadUint64(&m.pair.lanes[d].state.Redirected) + m.pair.conn.Counter(d).Load()
}

// freeze ends the counting: the lanes become somebody else's.
func (m *meter) freeze() (redirected, copied uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for d := range m.final {
		r := atomic.LoadUint64(&m.pair.lanes[d].state.Redirected)
		c := m.pair.conn.Counter(engine.Direction(d)).Load()
		m.final[d] = r + c
		redirected += r
		copied += c
	}
	m.frozen = true
	return redirected, copied
}
