package load

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/cilium/ebpf"

	"github.com/waggle-bpf/waggle/load/internal/capability"
)

// Handle is an object in the kernel: its maps, programs and attachments.
// Its methods may be called from several goroutines, Close included.
type Handle struct {
	obj  *Object
	coll *ebpf.Collection

	mu     sync.Mutex
	links  []*Link // in the order of attaching
	closed bool
}

func newHandle(o *Object, coll *ebpf.Collection) *Handle {
	return &Handle{obj: o, coll: coll}
}

// Object is what the handle was loaded from.
func (h *Handle) Object() *Object { return h.obj }

// Program finds a loaded program by its function's name. It belongs to the
// handle and must not be closed.
func (h *Handle) Program(name string) (*ebpf.Program, error) {
	if p := h.coll.Programs[name]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("find program in %s: %w", h.obj.name, h.obj.noProgram(name))
}

// Map finds a map by name. It belongs to the handle and must not be closed.
func (h *Handle) Map(name string) (*ebpf.Map, error) {
	if m := h.coll.Maps[name]; m != nil {
		return m, nil
	}
	return nil, fmt.Errorf("find map in %s: %w", h.obj.name, h.obj.noMap(name))
}

// Links lists the handle's attachments that are still its own, oldest first.
func (h *Handle) Links() []*Link {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.links)
}

// Close detaches everything, newest first, and frees programs and maps.
// Pinned links, maps and programs live on. Close may be called again.
func (h *Handle) Close() error {
	h.mu.Lock()
	links := h.links
	closed := h.closed
	h.links, h.closed = nil, true
	h.mu.Unlock()
	if closed {
		return nil
	}
	err := closeLinks(links)
	h.coll.Close()
	return err
}

func closeLinks(links []*Link) error {
	var errs []error
	for _, l := range slices.Backward(links) {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// adopt makes links the handle's own; on a closed handle it ends them.
func (h *Handle) adopt(links []*Link) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return errors.Join(errors.New("the handle is closed"), closeLinks(links))
	}
	h.links = append(h.links, links...)
	return nil
}

// disown takes links from the handle without ending them.
func (h *Handle) disown(links ...*Link) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.links = slices.DeleteFunc(h.links, func(l *Link) bool { return slices.Contains(links, l) })
}

// Pin makes maps and links outlive the process, as files below dir, which
// must be on a BPF file system and is made if need be: maps/NAME and
// links/PROGRAM for the first link of a program, links/PROGRAM-2 and so on
// for further ones. Read them with OpenPinnedMap and OpenPinnedLink. If one
// cannot be pinned, those before it are unpinned again.
func (h *Handle) Pin(dir string) error {
	var done []pinned
	err := h.pinMaps(filepath.Join(dir, "maps"), &done)
	if err == nil {
		err = h.pinLinks(filepath.Join(dir, "links"), &done)
	}
	if err == nil {
		return nil
	}
	for _, p := range slices.Backward(done) {
		err = errors.Join(err, p.Unpin())
	}
	return err
}

// pinned is a map or link.
type pinned interface{ Unpin() error }

func (h *Handle) pinMaps(dir string, done *[]pinned) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("pin maps: %w", err)
	}
	for _, info := range h.obj.Maps() {
		m := h.coll.Maps[info.Name]
		if m == nil || m.IsPinned() {
			continue
		}
		if err := m.Pin(filepath.Join(dir, info.Name)); err != nil {
			return refused("pin map "+info.Name, err, capability.BPF)
		}
		*done = append(*done, m)
	}
	return nil
}

func (h *Handle) pinLinks(dir string, done *[]pinned) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("pin links: %w", err)
	}
	count := map[string]int{}
	for _, l := range h.Links() {
		count[l.program]++
		name := l.program
		if n := count[name]; n > 1 {
			name = fmt.Sprintf("%s-%d", name, n)
		}
		if err := l.Pin(filepath.Join(dir, name)); err != nil {
			return err
		}
		*done = append(*done, l)
	}
	return nil
}

// OpenPinnedMap opens a map from its file on a BPF file system. The caller
// closes it. Use it with OverMap for typed access, or in Options.MapReplacements.
func OpenPinnedMap(path string) (*ebpf.Map, error) {
	m, err := ebpf.LoadPinnedMap(path, nil)
	if err != nil {
		return nil, refused("open pinned map "+path, err, capability.BPF)
	}
	return m, nil
}
