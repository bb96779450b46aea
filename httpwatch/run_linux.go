package httpwatch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/httpwatch/internal/object"
	"github.com/waggle-bpf/waggle/httpwatch/kern"
	"github.com/waggle-bpf/waggle/load"
)

// Run watches until ctx is done and returns the account of what it saw; that the
// context ended is no error. It needs the rights to load and attach programs
// (CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, or root).
//
// Run leaves nothing behind, whichever way it ends. On kernels before 6.6 a killed
// process leaves its tc filters; the next run on the same interfaces, or
// load.RemoveStale, clears them away.
func Run(ctx context.Context, o Options) (Summary, error) {
	o, err := o.withDefaults()
	if err != nil {
		return Summary{}, err
	}
	s, err := start(o)
	if err != nil {
		return Summary{}, err
	}
	if o.Started != nil {
		o.Started(s.names())
	}
	runErr := s.run(ctx)
	summary, err := s.summary()
	return summary, errors.Join(runErr, err, s.kernel.Close())
}

// session is a run.
type session struct {
	options  Options
	kernel   *object.Kern
	events   *load.Stream[load.Record]
	attached map[int32]iface

	mu      sync.Mutex // of what is below
	watcher *watcher
}

// start loads and attaches the programs.
func start(o Options) (_ *session, err error) {
	s := &session{options: o, attached: map[int32]iface{}}
	ifaces, err := s.wanted()
	if err != nil {
		return nil, err
	}
	if len(ifaces) == 0 {
		return nil, fmt.Errorf("watch http: %w is up", ErrNoInterface)
	}
	if s.kernel, err = loadKernelHalf(o); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.kernel.Close())
		}
	}()
	s.watcher = newWatcher(o.Sink, s, o.MaxConnections)
	s.watcher.boot = bootTime()
	s.events, err = load.RawEvents(s.kernel.Handle, "Events", load.StreamOptions{FlushInterval: o.Latency / 2})
	if err != nil {
		return nil, err
	}
	return s, s.attach(ifaces)
}

// loadKernelHalf puts the programs into the kernel.
func loadKernelHalf(o Options) (*object.Kern, error) {
	obj, err := object.OpenKern()
	if err != nil {
		return nil, err
	}
	ring := powerOfTwo(o.RingBytes)
	// The stream reads at intervals; it is to be woken only when that may be too
	// late. It gives space back in eighths.
	if err := errors.Join(obj.SetPort(o.Port), obj.Set("bpf_WakeupBytes", uint64(ring/4))); err != nil {
		return nil, err
	}
	sizes := obj.Spec().Maps
	sizes["Events"].MaxEntries = ring
	sizes["Flows"].MaxEntries = uint32(2 * o.MaxConnections) // one for each direction
	return obj.Load(load.Options{})
}

// powerOfTwo rounds up to a size that a ring buffer can have.
func powerOfTwo(n int) uint32 {
	const page, most = 1 << 12, 1 << 30
	n = max(page, min(n, most))
	return 1 << bits.Len(uint(n-1))
}

// Put implements verdicts.
func (s *session) Put(f kern.Flow, v kern.Verdict) error { return s.kernel.Verdicts.Put(f, v) }

// wanted finds the interfaces to watch.
func (s *session) wanted() ([]iface, error) {
	all, err := interfaces()
	if err != nil || len(s.options.Interfaces) == 0 {
		return running(all), err
	}
	return named(all, s.options.Interfaces)
}

// places says for each link type which program watches it where.
var places = map[linkType]struct {
	program   string
	direction load.Direction
}{
	ethernet: {"WatchEthernet", load.Ingress | load.Egress},
	bareIP:   {"WatchIP", load.Ingress | load.Egress},
	// Once is enough.
	loopback: {"WatchEthernet", load.Egress},
}

// attach attaches to the interfaces that are not attached to yet. One that cannot be
// attached to is an error if it was named or is the last hope.
func (s *session) attach(ifaces []iface) error {
	var failed error
	for _, dev := range ifaces {
		if _, ok := s.attached[dev.index]; ok {
			continue
		}
		place := places[dev.link]
		_, err := s.kernel.Attach(place.program, load.Target{
			Interfaces: []string{dev.name},
			Direction:  place.direction,
		})
		switch {
		case err == nil:
			s.attached[dev.index] = dev
		case len(s.options.Interfaces) > 0:
			return err
		default:
			failed = err
			s.options.Warn(err)
		}
	}
	if len(s.attached) == 0 {
		return failed
	}
	return nil
}

// names lists the interfaces that are watched, by index.
func (s *session) names() []string {
	var names []string
	for _, index := range slices.Sorted(maps.Keys(s.attached)) {
		names = append(names, s.attached[index].name)
	}
	return names
}

// run reads events until ctx is done or the sink fails.
func (s *session) run(ctx context.Context) error {
	done := make(chan struct{})
	var others sync.WaitGroup
	others.Go(func() { s.housekeeping(done) })
	for e := range s.events.All(ctx) {
		if !s.record(e.Data) {
			break
		}
	}
	close(done)
	others.Wait()
	s.watcher.finish()
	s.stop()
	return errors.Join(s.events.Err(), s.watcher.err, s.options.Sink.Flush())
}

// stop makes run read what there is and end.
func (s *session) stop() {
	// An error in closing it is the stream's last, and run asks for that.
	_ = s.events.Close()
}

// record takes one record, and reports whether to go on.
func (s *session) record(b []byte) bool {
	if len(b) < kern.HeaderLen {
		panic(fmt.Sprintf("BUG: record of %d bytes", len(b)))
	}
	h := (*kern.Header)(unsafe.Pointer(unsafe.SliceData(b)))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watcher.record(h, b[kern.HeaderLen:kern.HeaderLen+int(h.Len)])
	return s.watcher.err == nil
}

// rescan is how often to look for interfaces that have come up.
const rescan = time.Second

// housekeeping does what has to be done from time to time, until done is closed.
func (s *session) housekeeping(done <-chan struct{}) {
	soon := time.NewTicker(s.options.Latency / 2)
	defer soon.Stop()
	seldom := time.NewTicker(rescan)
	defer seldom.Stop()
	for {
		select {
		case <-done:
			return
		case <-soon.C:
			if !s.flush() {
				s.stop()
				return
			}
		case <-seldom.C:
			s.attachNew()
		}
	}
}

// flush writes what has gathered and ends waits, and reports whether to go on.
func (s *session) flush() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.watcher
	w.tick(monotonic())
	w.boot = bootTime() // somebody may have set the clock
	if err := s.options.Sink.Flush(); err != nil && w.err == nil {
		w.err = err
	}
	return w.err == nil
}

// attachNew watches interfaces that have come up.
func (s *session) attachNew() {
	if len(s.options.Interfaces) > 0 {
		return
	}
	all, err := interfaces()
	if err == nil {
		s.forgetGone(all)
		err = s.attach(running(all))
	}
	if err != nil {
		s.options.Warn(err)
	}
}

// forgetGone forgets interfaces that don't exist any more, for another one may get
// the number. Attachments end with their interface.
func (s *session) forgetGone(all []iface) {
	maps.DeleteFunc(s.attached, func(index int32, _ iface) bool {
		return !slices.ContainsFunc(all, func(dev iface) bool { return dev.index == index })
	})
}

// summary is the account so far.
func (s *session) summary() (Summary, error) {
	sum := s.watcher.summary
	perCPU, err := s.kernel.Traffic.Get(0)
	for _, c := range perCPU {
		sum.Traffic.Add(c)
	}
	stats, statsErr := s.events.Stats()
	sum.Lost.Events = stats.Lost()
	faults, faultsErr := s.kernel.Faults()
	sum.Faults = faults
	return sum, errors.Join(err, statsErr, faultsErr)
}

// monotonic reads the clock of the records in nanoseconds.
func monotonic() uint64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic("BUG: no monotonic clock: " + err.Error())
	}
	return uint64(t.Nano())
}

// bootTime is when that clock was zero.
func bootTime() time.Time { return time.Now().Round(0).Add(-time.Duration(monotonic())) }
