package packet

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/load"
)

// device is an interface that the programs are attached to.
type device struct{ ethernet, loopback bool }

// devices are the interfaces that the programs are attached to. They are attached
// when the first connection comes by.
type devices struct {
	kernel *kernel
	only   map[string]bool // nil: all

	mu       sync.Mutex
	attached map[string]attached
	failed   map[string]failure
}

// attached is an interface as it was found.
type attached struct {
	device
	index   uint32
	checked time.Time
}

// sameFor is how long an interface is believed to be the one that it was. Another one
// of that name, a container's for example, has to be attached anew.
const sameFor = time.Second

// failure is that an interface could not be attached.
type failure struct {
	err error
	at  time.Time
}

// retryAfter is how long such a failure is taken to last.
const retryAfter = 10 * time.Second

func newDevices(k *kernel, only []string) *devices {
	d := &devices{kernel: k, attached: map[string]attached{}, failed: map[string]failure{}}
	for _, name := range only {
		if d.only == nil {
			d.only = map[string]bool{loopback: true}
		}
		d.only[name] = true
	}
	return d
}

// all attaches the interfaces that were named, and loopback.
func (d *devices) all() error {
	if _, err := d.get(loopback); err != nil {
		return err
	}
	for name := range d.only {
		if _, err := d.get(name); err != nil {
			return err
		}
	}
	return nil
}

// get returns an interface, and attaches the programs to it if they are not.
func (d *devices) get(name string) (device, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if a, ok := d.attached[name]; ok && d.same(name, a) {
		return a.device, nil
	}
	if d.only != nil && !d.only[name] {
		return device{}, errors.New("it is not among those named")
	}
	if f, ok := d.failed[name]; ok && time.Since(f.at) < retryAfter {
		return device{}, f.err
	}
	dev := device{loopback: name == loopback}
	var index uint32
	err := d.kernel.ns.do(func() (err error) {
		if dev.ethernet, err = hasEthernet(name); err != nil {
			return err
		}
		if index, err = indexOf(name); err != nil {
			return err
		}
		return d.kernel.attach(name, dev.ethernet)
	})
	if err != nil {
		d.failed[name] = failure{err, time.Now()}
		return device{}, err
	}
	d.attached[name] = attached{dev, index, time.Now()}
	return dev, nil
}

// same reports whether the interface is still the one that the programs are attached to.
func (d *devices) same(name string, a attached) bool {
	if time.Since(a.checked) < sameFor {
		return true
	}
	var index uint32
	err := d.kernel.ns.do(func() (err error) {
		index, err = indexOf(name)
		return err
	})
	if err != nil || index != a.index {
		delete(d.attached, name)
		return false
	}
	a.checked = time.Now()
	d.attached[name] = a
	return true
}

// removeStale removes the filters of processes that have ended.
func (d *devices) removeStale() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.kernel.filters {
		return
	}
	for name := range d.attached {
		_ = d.kernel.ns.do(func() error { return d.kernel.replaceFilters(name) }) // else the next time
	}
}

// hooks are where programs go.
var hooks = []struct {
	name         string
	direction    load.Direction
	ethernet, ip string // the programs
}{
	{"ingress", load.Ingress, "Ingress", "IngressIP"},
	{"egress", load.Egress, "Egress", "EgressIP"},
}

// attach sees to it that the programs run on an interface.
func (k *kernel) attach(name string, ethernet bool) error {
	for _, h := range hooks {
		program := h.ip
		if ethernet {
			program = h.ethernet
		}
		if err := k.attachHook(name, h.name, program, h.direction); err != nil {
			return err
		}
	}
	return nil
}

// attachHook attaches a program, or puts it in the place of an earlier process's.
func (k *kernel) attachHook(dev, hook, program string, direction load.Direction) error {
	path := filepath.Join(k.dir, "links", dev+"-"+hook)
	if k.pinned {
		if done, err := k.takeOver(path, program); done || err != nil {
			return err
		}
	}
	links, err := k.Attach(program, load.Target{Interfaces: []string{dev}, Direction: direction})
	if err != nil {
		return engine.Refuse("programs not attached", err)
	}
	if !k.pinned {
		return nil
	}
	for _, l := range links {
		if l.OutlivesProcess() {
			if err := k.replaceFilters(dev); err != nil {
				return err
			}
			continue
		}
		if err := l.Pin(path); err != nil {
			return fmt.Errorf("pin %v: %w", l, err)
		}
	}
	return nil
}

// replaceFilters removes the filters that processes have left which have ended. Before
// Linux 6.6 programs are attached as filters, which need no pin to stay and can't be
// taken over, but run beside those of others.
func (k *kernel) replaceFilters(dev string) error {
	k.filters = true
	_, err := load.RemoveStale(dev)
	return err
}
