package load

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cilium/ebpf"
)

// Attach attaches a program to a target: to each of its interfaces, in each of
// its directions. Either all those links come into being or none. They belong
// to the handle, whose Close ends them.
func (h *Handle) Attach(program string, t Target) ([]*Link, error) {
	links, err := h.attach(program, t)
	if err != nil {
		return nil, err
	}
	if err := h.adopt(links); err != nil {
		return nil, fmt.Errorf("attach %s: %w", program, err)
	}
	return links, nil
}

// AttachAll attaches every program that was loaded, except those that the
// object puts into a program array, which run by tail call. A program that
// cannot be attached is an error, never left out; if there is an error,
// nothing stays attached.
func (h *Handle) AttachAll(ts Targets) ([]*Link, error) {
	programs, err := h.toAttach(ts)
	if err != nil {
		return nil, err
	}
	var links []*Link
	for _, name := range programs {
		t, own := ts.For[name]
		if !own {
			t = ts.Target
		}
		more, err := h.attach(name, t)
		if err != nil {
			return nil, errors.Join(err, closeLinks(links))
		}
		links = append(links, more...)
	}
	if err := h.adopt(links); err != nil {
		return nil, fmt.Errorf("attach programs of %s: %w", h.obj.name, err)
	}
	return links, nil
}

// toAttach lists the programs for AttachAll and refuses names nobody knows.
func (h *Handle) toAttach(ts Targets) ([]string, error) {
	for name := range ts.For {
		if _, err := h.Program(name); err != nil {
			return nil, fmt.Errorf("attach programs: %w", err)
		}
	}
	for _, name := range ts.Skip {
		if _, err := h.Program(name); err != nil {
			return nil, fmt.Errorf("attach programs: %w", err)
		}
	}
	tailCalled := h.obj.tailCalled()
	var names []string
	for _, name := range h.obj.programs {
		_, own := ts.For[name]
		switch {
		case h.coll.Programs[name] == nil, slices.Contains(ts.Skip, name):
		case tailCalled[name] && !own:
		default:
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("attach programs of %s: none is left to attach", h.obj.name)
	}
	return names, nil
}

func (h *Handle) attach(program string, t Target) ([]*Link, error) {
	p, err := h.Program(program)
	if err != nil {
		return nil, fmt.Errorf("attach %s: %w", program, err)
	}
	spec := h.obj.spec.Programs[program]
	row := hookOf(spec)
	switch {
	case row == nil:
		return nil, fmt.Errorf("attach %s: %s programs %w here", program, kindOf(spec), ErrNotAttachable)
	case row.refusal != "":
		return nil, fmt.Errorf("attach %s: %s programs %w: %s", program, kindOf(spec), ErrNotAttachable, row.refusal)
	}
	s := &site{handle: h, prog: p, spec: spec, target: t}
	links, err := row.attach(s)
	if err != nil {
		return nil, refused("attach "+program, err, row.needs...)
	}
	return links, nil
}

// site is one program on its way to one target.
type site struct {
	handle *Handle
	prog   *ebpf.Program
	spec   *ebpf.ProgramSpec
	target Target
}

// link names a new attachment after its program.
func (s *site) link(where string, a attachment) *Link {
	return &Link{program: s.spec.Name, where: where, attached: a}
}

// single wraps the only attachment of a target.
func (s *site) single(where string, a attachment, err error) ([]*Link, error) {
	if err != nil {
		return nil, fmt.Errorf("to %s: %w", where, err)
	}
	return []*Link{s.link(where, a)}, nil
}

// each attaches to one place after the other; if one fails, it ends the
// links before.
func each[T any](places []T, attach func(T) (*Link, error)) ([]*Link, error) {
	var links []*Link
	for _, p := range places {
		l, err := attach(p)
		if err != nil {
			return nil, errors.Join(err, closeLinks(links))
		}
		links = append(links, l)
	}
	return links, nil
}
