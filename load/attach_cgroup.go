package load

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// attachCgroup is for the kinds whose attach type says all.
func attachCgroup(s *site) ([]*Link, error) {
	return s.toCgroup(s.spec.AttachType)
}

// attachCgroupSKB is for packet filters of a group, whose section may leave
// the direction open.
func attachCgroupSKB(s *site) ([]*Link, error) {
	// BPF_CGROUP_INET_INGRESS is 0, as is "no attach type": only the section
	// tells them apart.
	if kindOf(s.spec) != "cgroup/skb" {
		return s.toCgroup(s.spec.AttachType)
	}
	var links []*Link
	for _, d := range []struct {
		direction Direction
		attach    ebpf.AttachType
	}{{Ingress, ebpf.AttachCGroupInetIngress}, {Egress, ebpf.AttachCGroupInetEgress}} {
		if s.target.Direction&d.direction == 0 {
			continue
		}
		more, err := s.toCgroup(d.attach)
		if err != nil {
			return nil, errors.Join(err, closeLinks(links))
		}
		links = append(links, more...)
	}
	if len(links) == 0 {
		return nil, errors.New("no direction: neither its section nor the target names ingress or egress")
	}
	return links, nil
}

func (s *site) toCgroup(at ebpf.AttachType) ([]*Link, error) {
	path := s.target.Cgroup
	if path == "" {
		return nil, errors.New("no control group named")
	}
	// The kernel's answer to a missing directory names no path.
	if info, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("open control group: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("open control group %s: not a directory", path)
	}
	l, err := link.AttachCgroup(link.CgroupOptions{Path: path, Attach: at, Program: s.prog})
	if errors.Is(err, syscall.EBADF) {
		err = errors.New("not a control group of version 2" + cgroupHint())
	}
	return s.single("control group "+path, l, err)
}

// cgroupHint says where the control groups of version 2 are: many machines have
// those of version 1 at the usual place.
func cgroupHint() string {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(mounts)) {
		// proc_pid_mountinfo(5): the mount point is the fifth field, the type
		// the first behind the dash.
		head, tail, _ := strings.Cut(line, " - ")
		if fields := strings.Fields(head); len(fields) > 4 && strings.HasPrefix(tail, "cgroup2 ") {
			return "; those are at " + fields[4]
		}
	}
	return "; this machine has none mounted"
}
