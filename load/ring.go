package load

import (
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"

	"github.com/waggle-bpf/waggle/load/internal/sys"
)

// A record's header, from struct bpf_ringbuf_hdr in kernel/bpf/ringbuf.c: 4
// bytes of length with two flags, 4 that only the kernel reads.
const (
	ringHeader  = 8
	ringBusy    = 1 << 31 // BPF_RINGBUF_BUSY_BIT: reserved, not yet submitted
	ringDiscard = 1 << 30 // BPF_RINGBUF_DISCARD_BIT
)

// ring reads a ring buffer.
//
// The kernel wakes a reader for the record that lies just where the reader's
// position is, that is, if the reader had caught up; a program can forbid that
// (BPF_RB_NO_WAKEUP) or demand it for other records (BPF_RB_FORCE_WAKEUP). A
// wake-up costs the program more than the record. So the reader decides, by
// what it publishes as its position:
//
//   - Under load it stays one record behind. No record then lies at its
//     position, no wake-up happens, and it looks for more by itself after a
//     pause. Reader and programs meet once in hundreds of records instead of
//     at each. (Not if that record is large: its space is worth more.)
//   - When little comes, it publishes its true position and sleeps: the next
//     record wakes it, or the flush interval ends if the program forbade that.
type ring struct {
	mem    *sys.Ring
	waiter *sys.Waiter
	mask   uint64
	flush  time.Duration

	pos       uint64 // behind the record given last
	last      uint64 // where that record begins
	limit     uint64 // what the kernel had handed out when we last looked
	published uint64

	batch      uint64    // records since the last wait
	batchFrom  uint64    // position at the last wait
	batchSince time.Time // when the batch began to come in
	fill       uint64    // bytes to let come in during a pause

	stopping  atomic.Bool
	drainTo   uint64    // once stopping: where to end
	drainTill time.Time // once stopping: how long to wait for busy records
}

const (
	// busyBatch records between two waits are a load.
	busyBatch = 64
	// Pauses under load: shorter ones are not worth the system call.
	minPause = 20 * time.Microsecond
	maxPause = time.Millisecond
	minFill  = 16 << 10
	// giveBack is how many bytes of space are given back at a time: seldom
	// enough for the memory that all CPUs look at, often enough for programs
	// that demand wake-ups while a certain amount is unread.
	giveBack = 16 << 10
	// keepPart is the part of a buffer, an eighth, that may stay without being
	// given back.
	keepPart = 8
	// drainPatience is how long a closing reader waits for a program to
	// submit a record it had reserved.
	drainPatience = 100 * time.Millisecond
)

func openRing(m *ebpf.Map, flush time.Duration) (*ring, error) {
	size := int(m.MaxEntries())
	mem, err := sys.MapRing(m.FD(), size)
	if err != nil {
		return nil, err
	}
	waiter, err := sys.NewWaiter(m.FD())
	if err != nil {
		mem.Close()
		return nil, err
	}
	// What another reader had read before is not ours.
	start := mem.Consumer.Load()
	return &ring{
		mem:        mem,
		waiter:     waiter,
		mask:       uint64(size - 1),
		flush:      flush,
		pos:        start,
		last:       start,
		limit:      start,
		published:  start,
		batchFrom:  start,
		batchSince: time.Now(),
	}, nil
}

func (r *ring) next(rec *Record) error {
	for {
		if r.pos >= r.limit {
			r.look()
		}
		if r.pos < r.limit {
			if length := r.header(r.pos); length&ringBusy == 0 {
				r.take(length, rec)
				if length&ringDiscard == 0 {
					return nil
				}
				continue
			}
		}
		if r.drained() {
			return errDrained
		}
		if err := r.pause(); err != nil {
			return err
		}
	}
}

// look learns how far the kernel is. A closing reader goes no further than the
// kernel was when it learnt of that.
func (r *ring) look() {
	r.limit = r.mem.Producer.Load()
	if !r.stopping.Load() {
		return
	}
	if r.drainTill.IsZero() {
		r.drainTo, r.drainTill = r.limit, time.Now().Add(drainPatience)
	}
	r.limit = min(r.limit, r.drainTo)
}

// drained reports whether a closing reader has come to its end.
func (r *ring) drained() bool {
	return !r.drainTill.IsZero() && (r.pos >= r.drainTo || time.Now().After(r.drainTill))
}

// header reads a record's length and flags. The kernel clears the busy flag
// with a full barrier after the record's bytes are in place.
func (r *ring) header(pos uint64) uint32 {
	return atomic.LoadUint32((*uint32)(unsafe.Pointer(&r.mem.Data[pos&r.mask])))
}

// take moves behind the record at r.pos. Those before are done with.
func (r *ring) take(length uint32, rec *Record) {
	if r.pos-r.published > min(giveBack, r.mask/keepPart) {
		r.publish(r.pos)
	}
	size := uint64(length &^ (ringBusy | ringDiscard))
	start := r.pos&r.mask + ringHeader
	rec.Data = r.mem.Data[start : start+size : start+size]
	rec.CPU = -1
	r.last = r.pos
	r.pos += (ringHeader + size + 7) &^ 7
	r.batch++
}

func (r *ring) publish(pos uint64) {
	if pos != r.published {
		r.published = pos
		r.mem.Consumer.Store(pos)
	}
}

// pause waits until there may be more. On return, look again.
func (r *ring) pause() error {
	if r.batch >= busyBatch && r.pos-r.last <= r.mask/keepPart {
		return r.breathe()
	}
	return r.sleep()
}

// breathe gives the space back up to the last record and lets more come in
// for a while. If a program demands attention in that time, the pauses are too
// long for it; otherwise they grow until a quarter of the buffer is filled.
func (r *ring) breathe() error {
	r.publish(r.last)
	now := time.Now()
	pause := pauseFor(now.Sub(r.batchSince), r.pos-r.batchFrom, r.fill)
	r.batch, r.batchFrom, r.batchSince = 0, r.pos, now
	signalled, err := r.waiter.Wait(min(pause, r.flush))
	if signalled {
		r.fill = max(minFill, r.fill/2)
	} else {
		r.fill += r.fill / 16
	}
	r.fill = min(r.fill, maxFill(r.mask+1))
	return err
}

func maxFill(size uint64) uint64 { return size / 4 }

// pauseFor is how long fill bytes take to come in, at the rate of the batch.
func pauseFor(took time.Duration, bytes, fill uint64) time.Duration {
	pause := time.Duration(float64(took) * float64(fill) / float64(bytes))
	return max(minPause, min(pause, maxPause))
}

// sleep gives all the space back and waits for a wake-up.
func (r *ring) sleep() error {
	r.publish(r.pos)
	// The kernel does these two the other way round: it submits a record,
	// then looks at our position. So one of us sees the other.
	r.look()
	if r.pos < r.limit && r.header(r.pos)&ringBusy == 0 {
		return nil
	}
	_, err := r.waiter.Wait(r.flush)
	r.batch, r.batchFrom, r.batchSince = 0, r.pos, time.Now()
	return err
}

func (r *ring) stop() {
	r.stopping.Store(true)
	r.waiter.Wake()
}

// lost is always 0: ring buffers do not count what did not fit.
func (r *ring) lost() uint64 { return 0 }

// pending counts the records between our position and the kernel's.
func (r *ring) pending() uint64 {
	var n uint64
	for pos, end := r.pos, r.mem.Producer.Load(); pos < end; n++ {
		length := r.header(pos)
		pos += (ringHeader + uint64(length&^(ringBusy|ringDiscard)) + 7) &^ 7
		if length&ringDiscard != 0 {
			n--
		}
	}
	return n
}

func (r *ring) close() error {
	r.publish(r.pos)
	if err := r.waiter.Close(); err != nil {
		return fmt.Errorf("close ring buffer: %w", err)
	}
	return r.mem.Close()
}
