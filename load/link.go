package load

import (
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/waggle-bpf/waggle/load/internal/capability"
)

// Link is one program attached to one place.
type Link struct {
	program string
	where   string

	mu       sync.Mutex
	attached attachment // nil once closed
}

// attachment is what every way of attaching can do, or says it cannot with
// ErrNotSupported. link.Link is one.
type attachment interface {
	Close() error
	Update(*ebpf.Program) error
	Pin(path string) error
	Unpin() error
}

// errClosedLink is in the errors of all that is asked of a closed link.
var errClosedLink = errors.New("the link is closed")

// Program is the name of the attached program.
func (l *Link) Program() string { return l.program }

// Where says what the program is attached to: "lo (xdp)".
func (l *Link) Where() string { return l.where }

// String is "PROGRAM at WHERE".
func (l *Link) String() string { return l.program + " at " + l.where }

// with runs f on the attachment while no other method can close it.
func (l *Link) with(op string, f func(attachment) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.attached == nil {
		return fmt.Errorf("%s %v: %w", op, l, errClosedLink)
	}
	if err := f(l.attached); err != nil {
		return refused(op+" "+l.String(), err, capability.BPF, capability.NetAdmin)
	}
	return nil
}

// Close detaches the program, unless the link is pinned: then it only gives
// up this process's hold on it. Close may be called again.
func (l *Link) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.attached
	l.attached = nil
	if a == nil {
		return nil
	}
	if err := a.Close(); err != nil {
		return fmt.Errorf("detach %v: %w", l, err)
	}
	return nil
}

// Detach ends the attachment for everybody, pins included.
func (l *Link) Detach() error {
	err := l.with("detach", func(a attachment) error {
		d, ok := a.(interface{ Detach() error })
		if !ok {
			return nil // such attachments end with Close
		}
		// Tracing links cannot be ended early: they end with the last hold.
		if err := d.Detach(); err != nil && !errors.Is(err, ErrNotSupported) {
			return err
		}
		return unpinned(a.Unpin())
	})
	return errors.Join(err, l.Close())
}

// unpinned forgives that there was no pin to remove.
func unpinned(err error) error {
	if errors.Is(err, ErrNotSupported) {
		return nil
	}
	return err
}

// Pin gives the link a file on a BPF file system, so that it outlives the
// process. Only attachments that the kernel holds as links can be pinned;
// others give an error with ErrNotSupported.
func (l *Link) Pin(path string) error {
	return l.with("pin", func(a attachment) error { return a.Pin(path) })
}

// Unpin removes the link's file. The attachment lasts as long as the Link.
func (l *Link) Unpin() error {
	return l.with("unpin", attachment.Unpin)
}

// Replace swaps the program that runs there for another of the same type.
// There is no gap: every packet or event meets the one or the other. Kernel
// links of tracing programs (tracepoints, probes, perf events) cannot do
// that and give an error with ErrNotSupported.
func (l *Link) Replace(p *ebpf.Program) error {
	return l.with("replace program of", func(a attachment) error { return a.Update(p) })
}

// OutlivesProcess reports whether the program stays attached if the process
// dies without Close: if the link is pinned, and always for clsact filters,
// which the kernel binds to the interface and not to a process. RemoveStale
// clears away such filters.
func (l *Link) OutlivesProcess() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch a := l.attached.(type) {
	case interface{ IsPinned() bool }:
		return a.IsPinned()
	case interface{ outlivesProcess() bool }:
		return a.outlivesProcess()
	}
	return false
}

// Info is what the kernel says of the link. Attachments that are no kernel
// links give an error with ErrNotSupported.
func (l *Link) Info() (*link.Info, error) {
	var info *link.Info
	err := l.with("inspect", func(a attachment) (err error) {
		k, ok := a.(link.Link)
		if !ok {
			return fmt.Errorf("not a link of the kernel: %w", ErrNotSupported)
		}
		info, err = k.Info()
		return err
	})
	return info, err
}

// Output runs an iterator program once: what the reader gives is what the
// program wrote. Other kinds give an error.
func (l *Link) Output() (io.ReadCloser, error) {
	var out io.ReadCloser
	err := l.with("run", func(a attachment) (err error) {
		it, ok := a.(*link.Iter)
		if !ok {
			return errors.New("not an iterator")
		}
		out, err = it.Open()
		return err
	})
	return out, err
}

// OpenPinnedLink opens a link from its file on a BPF file system. Its Close
// leaves the program attached, its Detach ends the attachment and the file.
func OpenPinnedLink(path string) (*Link, error) {
	l, err := link.LoadPinnedLink(path, nil)
	if err != nil {
		return nil, refused("open pinned link "+path, err, capability.BPF)
	}
	name := "?"
	if info, err := l.Info(); err == nil {
		name = programName(info.Program)
	}
	return &Link{program: name, where: path, attached: l}, nil
}

// programName is the kernel's name of a program, at most 15 bytes of it.
func programName(id ebpf.ProgramID) string {
	p, err := ebpf.NewProgramFromID(id)
	if err != nil {
		return "?"
	}
	defer p.Close()
	info, err := p.Info()
	if err != nil {
		return "?"
	}
	return info.Name
}

// TakeOver puts the handle's programs in the place of those of the same name
// that old has attached, without a gap, and makes the links the handle's
// own. It is how a running object is replaced by a newer one: load that with
// the maps of old as Options.MapReplacements, take over, close old. If one
// link cannot be changed, those changed before are changed back.
func (h *Handle) TakeOver(old *Handle) error {
	links := old.Links()
	for i, l := range links {
		p, err := h.Program(l.program)
		if err == nil {
			err = l.Replace(p)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("take over from %s: %w", old.obj.name, err), old.takeBack(links[:i]))
		}
	}
	old.disown(links...)
	return h.adopt(links)
}

func (h *Handle) takeBack(links []*Link) error {
	var errs []error
	for _, l := range links {
		p, err := h.Program(l.program)
		if err == nil {
			err = l.Replace(p)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
