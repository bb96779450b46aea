package redirect

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/load"
)

// attachTo attaches Enrol to a control group, unless that would put out programs of
// somebody else: those of groups above that allow to be overridden, which the kernel
// takes for leave to do without them (bpf(2), BPF_F_ALLOW_OVERRIDE).
func (s *Session) attachTo(dir string) error {
	before, err := sockops(dir, effective)
	if err != nil {
		return err
	}
	links, err := s.kernel.AttachEnrol(load.Target{Cgroup: dir})
	if errors.Is(err, unix.EPERM) {
		if group, id, ok := loner(dir); ok {
			return fmt.Errorf("attach to control group %s: %s of %s was attached to be alone there and below; attach that one with BPF_F_ALLOW_MULTI (bpftool: multi)", dir, programName(id), group)
		}
	}
	if err != nil {
		return err
	}
	after, err := sockops(dir, effective)
	if err != nil {
		return err
	}
	for _, id := range before {
		if slices.Contains(after, id) || !attached(id) {
			continue
		}
		for _, l := range links {
			err = errors.Join(err, l.Close())
		}
		return errors.Join(fmt.Errorf("attach to control group %s: %s, of a group above, would not run for it any more; attach that one with BPF_F_ALLOW_MULTI (bpftool: multi)", dir, programName(id)), err)
	}
	return nil
}

// loner finds a sockops program at a control group or above it, when the kernel does not
// allow another one.
func loner(dir string) (group string, id ebpf.ProgramID, ok bool) {
	for ; ; dir = filepath.Dir(dir) {
		ids, err := sockops(dir, 0)
		if err != nil { // it is above all groups
			return "", 0, false
		}
		if len(ids) > 0 {
			return dir, ids[0], true
		}
	}
}

// effective makes sockops list what runs for a group, not what is attached to it
// (BPF_F_QUERY_EFFECTIVE).
const effective = 1

// sockops lists the sockops programs of a control group.
func sockops(dir string, flags uint32) (ids []ebpf.ProgramID, err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("open control group: %w", err)
	}
	defer f.Close()
	res, err := link.QueryPrograms(link.QueryOptions{Target: int(f.Fd()), Attach: ebpf.AttachCGroupSockOps, QueryFlags: flags})
	if err != nil {
		return nil, fmt.Errorf("list programs of control group %s: %w", dir, err)
	}
	for _, p := range res.Programs {
		ids = append(ids, p.ID)
	}
	return ids, nil
}

// attached tells whether a program is still there: it may have gone by itself.
func attached(id ebpf.ProgramID) bool {
	p, err := ebpf.NewProgramFromID(id)
	if err != nil {
		return false
	}
	p.Close()
	return true
}

// programName names a program as bpftool does.
func programName(id ebpf.ProgramID) string {
	name := ""
	if p, err := ebpf.NewProgramFromID(id); err == nil {
		defer p.Close()
		if info, err := p.Info(); err == nil && info.Name != "" {
			name = " (" + info.Name + ")"
		}
	}
	return fmt.Sprintf("sockops program %d%s", id, name)
}
