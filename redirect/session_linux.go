package redirect

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/load"
	"github.com/waggle-bpf/waggle/redirect/kern"
)

type mapFlags = ebpf.MapUpdateFlags

// Session is the short cut in operation.
type Session struct {
	options Options
	groups  []string
	kernel  *Kern
	inspect *ebpf.Program
	memory  []byte
	conns   []kern.Conn // in memory
	events  *load.Stream[kern.Sighting]
	began   time.Time
	// blind tells that the kernel does not count the short cut as readable.
	blind bool

	// The surveyor's, which is one goroutine.
	pids, ports map[uint32]bool
	manners     []known

	mu   sync.Mutex
	told map[string]bool

	// late holds connections that have to leave the map; news is sent to when there
	// is a new one.
	late map[uint64]*late // by ID
	news chan struct{}

	stop              chan struct{}
	keepers, listener sync.WaitGroup
}

// Start attaches the programs. Connections that are made from now on are taken. It
// needs CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON and CAP_SYS_PTRACE, or root, and Linux 5.15
// with BTF.
func Start(o Options) (*Session, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	s := &Session{
		options: o, began: time.Now(),
		pids: make(map[uint32]bool), ports: make(map[uint32]bool),
		told: make(map[string]bool), late: make(map[uint64]*late), news: make(chan struct{}, 1), stop: make(chan struct{}),
	}
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.release())
	}
	s.listener.Go(s.listen)
	s.keepers.Go(s.keep)
	s.keepers.Go(s.keepSurvey)
	return s, nil
}

func (s *Session) open() (err error) {
	if s.groups, err = s.options.groups(); err != nil {
		return err
	}
	if err := s.load(); err != nil {
		return err
	}
	if s.events, err = s.kernel.Sightings(load.StreamOptions{}); err != nil {
		return err
	}
	for i := range uint32(s.options.MaxConnections) {
		if err := s.kernel.Free.Put(nil, i); err != nil {
			return fmt.Errorf("fill list of free places: %w", err)
		}
	}
	for _, port := range s.options.Ports {
		if len(s.options.PIDs) > 0 {
			break // survey does it
		}
		if err := s.kernel.Ports.Put(uint32(port), 1); err != nil {
			return err
		}
	}
	s.survey()
	return s.attach()
}

func (s *Session) load() error {
	at, blind, err := layout()
	if err != nil {
		return err
	}
	s.blind = blind
	obj, err := OpenKern()
	if err != nil {
		return err
	}
	modern, err := atLeast(6, 18)
	if err != nil {
		return err
	}
	err = errors.Join(obj.Set("At", at), obj.SetMark(s.options.Mark), obj.SetMost(s.options.Mark/4),
		obj.SetByPort(len(s.options.Ports)+len(s.options.PIDs) > 0), obj.SetByPID(len(s.options.PIDs) > 0),
		obj.SetSkipKernel(!modern))
	if err != nil {
		return err
	}
	n := uint32(s.options.MaxConnections)
	sizes := obj.Spec().Maps
	sizes["Conns"].MaxEntries, sizes["Free"].MaxEntries, sizes["Offers"].MaxEntries = n, n, n
	sizes["Sockets"].MaxEntries, sizes["Addresses"].MaxEntries = 2*n, 2*n
	if s.kernel, err = obj.Load(load.Options{}); err != nil {
		return err
	}
	if s.inspect, err = s.kernel.Program("Inspect"); err != nil {
		return err
	}
	page := unix.Getpagesize()
	size := (int(n)*int(unsafe.Sizeof(kern.Conn{})) + page - 1) / page * page
	if s.memory, err = unix.Mmap(s.kernel.Conns.Raw().FD(), 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return fmt.Errorf("map connections into memory: %w", err)
	}
	s.conns = unsafe.Slice((*kern.Conn)(unsafe.Pointer(unsafe.SliceData(s.memory))), n)
	return nil
}

// attach attaches the programs. Sockets get the programs that their map has when they
// come into it, so that one is first, and Enrol, which puts them there, last.
func (s *Session) attach() error {
	if _, err := s.kernel.AttachSend(load.Target{Map: "Sockets"}); err != nil {
		return err
	}
	if _, err := s.kernel.AttachClose(load.Target{}); err != nil {
		return err
	}
	if _, err := s.kernel.AttachSplice(load.Target{}); err != nil {
		if !errors.Is(err, load.ErrNotSupported) {
			return err
		}
		s.options.Notice("programs that call splice are not noticed, they may hang: " + err.Error())
	}
	for _, dir := range s.groups {
		if err := s.attachTo(dir); err != nil {
			return err
		}
	}
	return nil
}

// atLeast tells whether the kernel is of a release or a later one.
func atLeast(major, minor int) (bool, error) {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return false, err
	}
	release := unix.ByteSliceToString(u.Release[:])
	var a, b int
	if n, _ := fmt.Sscanf(release, "%d.%d", &a, &b); n < 2 {
		return false, fmt.Errorf("read kernel's version: what is %q?", release)
	}
	return a > major || a == major && b >= minor, nil
}

// listen takes the programs' reports until the stream is closed.
func (s *Session) listen() {
	for e := range s.events.All(context.Background()) {
		s.sighted(*e)
	}
}

// The intervals at which to look at connections that have to leave the map, and at
// everything.
const (
	often  = 2 * time.Millisecond
	seldom = time.Second
)

// keep looks after connections that have to leave the map until the session is closed.
func (s *Session) keep() {
	sweep := time.NewTicker(seldom)
	defer sweep.Stop()
	var soon <-chan time.Time
	news := s.news
	for {
		select {
		case <-s.stop:
			return
		case <-sweep.C:
			s.sweep()
			continue
		case <-news:
		case <-soon:
		}
		// What is reported meanwhile waits, or it would put that off for ever.
		if s.catchUp() > 0 {
			soon, news = time.After(often), nil
		} else {
			soon, news = nil, s.news
		}
	}
}

// keepSurvey surveys the processes until the session is closed.
func (s *Session) keepSurvey() {
	tick := time.NewTicker(seldom)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
			s.survey()
		}
	}
}

// conn returns a copy of a connection, if it is still there.
func (s *Session) conn(slot uint32, id uint64) (c kern.Conn, ok bool) {
	if int(slot) >= len(s.conns) {
		return c, false
	}
	c = s.conns[slot]
	return c, c.ID == id && id != 0
}

// release gives back what the session holds.
func (s *Session) release() error {
	var errs []error
	if s.events != nil {
		errs = append(errs, s.events.Close())
	}
	s.listener.Wait()
	if s.kernel != nil {
		errs = append(errs, s.kernel.Close())
	}
	if s.memory != nil {
		errs = append(errs, unix.Munmap(s.memory))
		s.memory, s.conns = nil, nil
	}
	return errors.Join(errs...)
}

// monotonic reads the clock of the programs in nanoseconds.
func monotonic() uint64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		panic("BUG: no monotonic clock: " + err.Error())
	}
	return uint64(t.Nano())
}
