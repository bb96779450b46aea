package link

import (
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Stats counts the packets of a direction. Received + Duplicated is the sum of all
// the others when nothing is on its way.
type Stats struct {
	Received   uint64 // sent into the link
	Duplicated uint64 // made by the link
	Delivered  uint64
	Lost       uint64 // as wanted
	Overflowed uint64 // because too many were on their way
	Refused    uint64 // by the device at the far end, which is down or full
	// Reordered counts those of Delivered that overtook others or could have.
	Reordered uint64
}

func (s Stats) String() string {
	return fmt.Sprintf("%d received, %d duplicated, %d delivered (%d of them early), %d lost, %d overflowed, %d refused",
		s.Received, s.Duplicated, s.Delivered, s.Reordered, s.Lost, s.Overflowed, s.Refused)
}

// direction carries frames from one device to another.
type direction struct {
	im       Impairment
	rng      *rand.Rand
	from, to io.ReadWriter
	buffers  sync.Pool

	stats struct {
		received, duplicated, delivered, lost, overflowed, refused, reordered atomic.Uint64
	}

	mu     sync.Mutex
	flying flight
	order  uint64
	closed bool
	wake   chan struct{} // tells deliver that the first packet is another one
}

// frameSize is room for a frame; a longer one than the device's MTU allows can't come.
const frameSize = 64 << 10

func newDirection(im Impairment, number uint64, from, to io.ReadWriter) *direction {
	return &direction{
		im: im, rng: rand.New(rand.NewPCG(im.Seed, number)), from: from, to: to,
		wake: make(chan struct{}, 1),
	}
}

// receive takes frames from the device until it is closed.
func (d *direction) receive() {
	frame := make([]byte, frameSize)
	for {
		n, err := d.from.Read(frame)
		if err != nil {
			d.close()
			return
		}
		d.stats.received.Add(1)
		d.accept(frame[:n])
	}
}

// accept decides what becomes of a frame. The frame is the caller's again afterwards.
func (d *direction) accept(frame []byte) {
	f := d.im.judge(d.rng, frame)
	copies := 1
	if f.duplicated {
		d.stats.duplicated.Add(1)
		copies++
	}
	if f.lost {
		d.stats.lost.Add(uint64(copies))
		return
	}
	for range copies {
		if f.reordered || d.im.Delay == 0 {
			d.deliver(frame)
		} else {
			d.delay(frame)
		}
	}
	if f.reordered {
		d.stats.reordered.Add(uint64(copies))
	}
}

// deliver hands a frame to the device.
func (d *direction) deliver(frame []byte) {
	if _, err := d.to.Write(frame); err != nil {
		d.stats.refused.Add(1)
		return
	}
	d.stats.delivered.Add(1)
}

// delay puts a copy of a frame among those on their way.
func (d *direction) delay(frame []byte) {
	due := time.Now().Add(d.im.Delay)
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.flying) >= d.im.queue() {
		d.stats.overflowed.Add(1)
		return
	}
	d.order++
	d.flying.add(packet{due: due, order: d.order, frame: append(d.buffer(), frame...)})
	if d.flying[0].order == d.order {
		d.signal()
	}
}

func (d *direction) signal() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// buffer returns an empty one.
func (d *direction) buffer() []byte {
	if b, ok := d.buffers.Get().(*[]byte); ok {
		return (*b)[:0]
	}
	return nil
}

// fly delivers frames when they are due, until the direction is closed.
func (d *direction) fly() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		p, wait, ok := d.next()
		switch {
		case !ok:
			return
		case p.frame != nil:
			d.deliver(p.frame)
			d.buffers.Put(&p.frame)
			continue
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-d.wake:
		}
	}
}

// next takes the frame that is due, or tells how long to wait.
func (d *direction) next() (p packet, wait time.Duration, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.closed:
		return p, 0, false
	case len(d.flying) == 0:
		return p, time.Hour, true
	}
	if wait = time.Until(d.flying[0].due); wait > 0 {
		return p, wait, true
	}
	return d.flying.take(), 0, true
}

func (d *direction) close() {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.signal()
}

func (d *direction) snapshot() Stats {
	s := &d.stats
	return Stats{
		Received: s.received.Load(), Duplicated: s.duplicated.Load(), Delivered: s.delivered.Load(),
		Lost: s.lost.Load(), Overflowed: s.overflowed.Load(), Refused: s.refused.Load(), Reordered: s.reordered.Load(),
	}
}
