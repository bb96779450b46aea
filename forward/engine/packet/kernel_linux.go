package packet

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/forward/engine/packet/kern"
	"github.com/waggle-bpf/waggle/load"
)

// kernel is the programs and maps, which processes may share.
type kernel struct {
	*Kern
	slots   *slots
	devices *devices
	filters bool // some programs are attached as filters, not by links
	ns      *netNS
	dir     string // of the pins
	pinned  bool
	locks   *locks // nil unless pinned
	owners  *owners
}

// layout is part of the pins' path. It changes with the types in package kern, so
// that a new forwarder never misreads what an old one has left.
const layout = "v2"

// openKernel loads the programs, with the maps of earlier processes if they are
// pinned, and attaches them or puts them in the place of those that are.
func openKernel(o Options) (k *kernel, err error) {
	k = &kernel{pinned: !o.NoPersist}
	defer func() {
		if err != nil {
			err = errors.Join(err, k.close())
			k = nil
		}
	}()
	if k.ns, err = openNetNS(); err != nil {
		return k, err
	}
	if k.pinned {
		if err := k.openPins(o.Dir); err != nil {
			return k, err
		}
	}
	if err := k.load(); err != nil {
		return k, err
	}
	if k.owners, err = openOwners(k.dir); err != nil {
		return k, err
	}
	if k.slots, err = openSlots(k.Meters.Raw(), k.owners.me); err != nil {
		return k, err
	}
	k.devices = newDevices(k, o.Interfaces)
	if err := k.devices.all(); err != nil {
		return k, err
	}
	if k.pinned {
		return k, k.locks.ready()
	}
	return k, nil
}

// openPins takes the setup lock, which openKernel gives back, and makes the
// directory: after it has the lock, because who was there before may have removed it.
func (k *kernel) openPins(base string) (err error) {
	k.dir = filepath.Join(base, fmt.Sprintf("%s-net%d", layout, k.ns.cookie))
	if k.locks, err = openLocks(k.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(k.dir, "links"), 0o700); err != nil {
		return engine.Refuse("no BPF file system", fmt.Errorf("make directory for pins: %w", err))
	}
	return nil
}

func (k *kernel) load() error {
	o, err := OpenKern()
	if err != nil {
		return err
	}
	opts := load.Options{MapReplacements: map[string]*ebpf.Map{}}
	defer func() {
		for _, m := range opts.MapReplacements {
			m.Close()
		}
	}()
	if k.pinned {
		for _, name := range sharedMaps {
			m, err := load.OpenPinnedMap(k.mapPath(name))
			if errors.Is(err, os.ErrNotExist) {
				continue
			}
			if err != nil {
				return err
			}
			opts.MapReplacements[name] = m
		}
	}
	if k.Kern, err = o.Load(opts); err != nil {
		return engine.Refuse("programs not loaded", err)
	}
	if !k.pinned {
		return nil
	}
	for _, name := range sharedMaps {
		if opts.MapReplacements[name] != nil {
			continue
		}
		m, err := k.Map(name)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(k.mapPath(name)), 0o700); err != nil {
			return fmt.Errorf("pin maps: %w", err)
		}
		if err := m.Pin(k.mapPath(name)); err != nil {
			return engine.Refuse("no BPF file system", fmt.Errorf("pin map %s: %w", name, err))
		}
	}
	return nil
}

// sharedMaps are those that outlive a process.
var sharedMaps = []string{"Flows", "Conns", "Meters", "Counts"}

func (k *kernel) mapPath(name string) string { return filepath.Join(k.dir, "maps", name) }

// takeOver puts a program in the place of the one whose link is pinned at path, if
// there is one.
func (k *kernel) takeOver(path, program string) (bool, error) {
	l, err := load.OpenPinnedLink(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer l.Close()
	p, err := k.Program(program)
	if err != nil {
		return false, err
	}
	if err := l.Replace(p); err != nil {
		// The interface is gone, and one of that name may be there again.
		return false, l.Unpin()
	}
	return true, nil
}

// enter puts a pair into the maps.
func (k *kernel) enter(slot uint32, c *kern.Conn) error {
	// By address: the lock in it is not for copying.
	if err := k.Conns.Raw().Put(slot, unsafe.Pointer(c)); err != nil {
		return fmt.Errorf("enter pair: %w", err)
	}
	for side := range c.Sides {
		if err := k.Flows.Put(c.Sides[side].Tuple, kern.Ref{Slot: slot, Side: uint32(side)}); err != nil {
			k.leave(slot, tuples{c.Sides[0].Tuple, c.Sides[1].Tuple})
			return err
		}
	}
	return nil
}

// leave removes a pair from the maps. A connection may have become another pair's
// in the meantime: that one stays.
func (k *kernel) leave(slot uint32, t tuples) {
	for _, tuple := range t {
		if ref, err := k.Flows.Get(tuple); err == nil && ref.Slot == slot {
			_ = k.Flows.Delete(tuple)
		}
	}
}

// pair reads a pair from the maps.
func (k *kernel) pair(slot uint32) (*kern.Conn, error) {
	c := &kern.Conn{}
	if err := k.Conns.Raw().Lookup(slot, unsafe.Pointer(c)); err != nil {
		return nil, fmt.Errorf("read pair: %w", err)
	}
	return c, nil
}

// totals adds up the programs' counts.
func (k *kernel) totals() (t kern.Totals, err error) {
	each, err := k.Counts.Get(0)
	for _, c := range each {
		t.Translated += c.Translated
		t.Suppressed += c.Suppressed
		t.Stray += c.Stray
	}
	return t, err
}

// close ends this process's part. If nobody needs the programs any more, they go.
func (k *kernel) close() error {
	var err error
	if k.locks != nil {
		err = k.unpinIfIdle()
	}
	needed := k.pinned && k.slots != nil && !k.idle()
	if k.Kern != nil && !(k.filters && needed) { // closing removes filters
		err = errors.Join(err, k.Kern.Close())
	}
	err = errors.Join(err, k.owners.close())
	if k.locks != nil {
		err = errors.Join(err, k.locks.close())
	}
	if k.ns != nil {
		err = errors.Join(err, k.ns.close())
	}
	return err
}

func (k *kernel) unpinIfIdle() error {
	alone, err := k.locks.alone()
	switch {
	case err != nil || !alone:
		return err
	case k.slots == nil:
		k.removeDirs() // starting failed: what others have left is for those who can
		k.locks.remove()
		return nil
	case !k.idle():
		return nil
	}
	k.devices.removeStale() // of processes that have left theirs to us
	for _, name := range []string{"links", "maps"} {
		if err := os.RemoveAll(filepath.Join(k.dir, name)); err != nil {
			return fmt.Errorf("remove pins: %w", err)
		}
	}
	k.removeDirs()
	k.locks.remove()
	return nil
}

// removeDirs removes the directories for pins that are empty, and those above that
// become so.
func (k *kernel) removeDirs() {
	for _, name := range []string{"links", "maps"} {
		_ = os.Remove(filepath.Join(k.dir, name))
	}
	for dir := k.dir; os.Remove(dir) == nil; dir = filepath.Dir(dir) {
	}
}

// idle reports whether no pair is left.
func (k *kernel) idle() bool {
	for slot := range k.slots.meters {
		if k.slots.owner(uint32(slot)) != nobody {
			return false
		}
	}
	return true
}
