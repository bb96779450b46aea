package testkit

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/internal/testkit/rtnl"
)

// stock is what a process holds: one line of text for each thing, under a key
// that tells it from others.
type stock struct {
	isolated bool
	things   map[string]string
}

// waitForLeaks compares with what there is now. Some things end a little after
// the test that made them, so it gives them some seconds.
func (before stock) waitForLeaks() []string {
	var leaks []string
	for deadline := time.Now().Add(3 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		now, err := takeStock(before.isolated)
		if err != nil {
			return []string{"unknown things: " + err.Error()}
		}
		leaks = leaks[:0]
		for _, key := range slices.Sorted(maps.Keys(now.things)) {
			if before.things[key] != now.things[key] {
				leaks = append(leaks, now.things[key])
			}
		}
		if len(leaks) == 0 || time.Now().After(deadline) {
			return leaks
		}
	}
}

// takeStock lists what the process holds. Outside namespaces of its own that is
// only file descriptors and cgroups: the rest may be anybody's.
func takeStock(isolated bool) (stock, error) {
	s := stock{isolated: isolated, things: make(map[string]string)}
	takers := []func(stock) error{stock.addFiles, stock.addCgroups}
	if isolated {
		takers = append(takers, stock.addNetwork, stock.addPins, stock.addProcesses)
	}
	for _, take := range takers {
		if err := take(s); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s stock) add(key, format string, args ...any) {
	s.things[key] = fmt.Sprintf(format, args...)
}

// addFiles lists open file descriptors. Programs, maps and links that are
// neither attached nor pinned live and die with theirs.
func (s stock) addFiles() error {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, e := range entries {
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err != nil {
			continue // the one that read the directory
		}
		// The runtime's poller opens these when it is first used.
		if target == "anon_inode:[eventpoll]" || target == "anon_inode:[eventfd]" {
			continue
		}
		s.add("fd "+e.Name(), "file descriptor %s: %s%s", e.Name(), target, bpfInfo(e.Name(), target))
	}
	return nil
}

// bpfInfo describes the BPF object behind a file descriptor.
func bpfInfo(fd, target string) string {
	if !strings.HasPrefix(target, "anon_inode:bpf") {
		return ""
	}
	text, err := os.ReadFile("/proc/self/fdinfo/" + fd)
	if err != nil {
		return ""
	}
	var out []string
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if slices.Contains([]string{"link_type", "prog_type", "prog_id", "map_type", "map_id"}, key) {
			out = append(out, key+" "+strings.TrimSpace(value))
		}
	}
	return " (" + strings.Join(out, ", ") + ")"
}

// addNetwork lists devices and what is attached to them or to the namespace.
func (s stock) addNetwork() error {
	return rtnl.Do(func(c *rtnl.Conn) error {
		links, err := c.Links()
		if err != nil {
			return err
		}
		names := make(map[int]string)
		for _, l := range links {
			names[l.Index] = l.Name
			s.add(fmt.Sprint("link ", l.Index), "network device %s %s", l.Name, l.Kind)
			if l.XDP {
				s.add(fmt.Sprint("xdp ", l.Index), "XDP program on %s", l.Name)
			}
			for _, attach := range []ebpf.AttachType{ebpf.AttachTCXIngress, ebpf.AttachTCXEgress} {
				s.addAttached(l.Index, attach, l.Name)
			}
		}
		qdiscs, err := c.Qdiscs()
		for _, q := range qdiscs {
			s.add(fmt.Sprint("qdisc ", q.Index, q.Kind), "queueing discipline %s on %s", q.Kind, names[q.Index])
		}
		return errors.Join(err, s.addNetNSPrograms())
	})
}

// addNetNSPrograms lists what is attached to the network namespace itself.
func (s stock) addNetNSPrograms() error {
	ns, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer ns.Close()
	for _, attach := range []ebpf.AttachType{ebpf.AttachSkLookup, ebpf.AttachFlowDissector} {
		s.addAttached(int(ns.Fd()), attach, "the network namespace")
	}
	return nil
}

// addAttached lists the programs at one attach point; kernels that don't know
// the attach type have none.
func (s stock) addAttached(target int, attach ebpf.AttachType, where string) {
	res, err := link.QueryPrograms(link.QueryOptions{Target: target, Attach: attach})
	if err != nil {
		return
	}
	for _, p := range res.Programs {
		s.add(fmt.Sprint("attached ", attach, target, p.ID), "program %d attached to %s (%v)", p.ID, where, attach)
	}
}

// addPins lists pins and names of network namespaces.
func (s stock) addPins() error {
	for _, dir := range []string{bpfDir, netnsDir} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			// The kernel's own files, there if its preloaded iterators are.
			if name := filepath.Base(path); path == dir || strings.HasSuffix(name, ".debug") {
				return err
			}
			s.add("pin "+path, "pin %s", path)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s stock) addCgroups() error {
	base, err := cgroupBase()
	if err != nil {
		return nil // no cgroup2 here, no cgroups of ours
	}
	return filepath.WalkDir(base, func(path string, d fs.DirEntry, err error) error {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if path != base && d != nil && d.IsDir() {
			s.add("cgroup "+path, "cgroup %s", path)
		}
		return nil
	})
}

// addProcesses lists the processes that tests started and that still run.
func (s stock) addProcesses() error {
	own, err := os.Stat(mountNamespace(os.Getpid()))
	if err != nil {
		return err
	}
	pids, err := membersOf(own)
	for _, pid := range pids {
		if pid == os.Getpid() {
			continue
		}
		name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		s.add(fmt.Sprint("process ", pid), "process %d (%s)", pid, strings.TrimSpace(string(name)))
	}
	return err
}

// mountNamespace is the file of a process's mount namespace. An isolated test
// binary's is its own and that of its descendants, daemons included, wherever they
// moved their sockets.
func mountNamespace(pid int) string { return fmt.Sprintf("/proc/%d/ns/mnt", pid) }

// membersOf are the processes in a mount namespace.
func membersOf(namespace os.FileInfo) (pids []int, err error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if ns, err := os.Stat(mountNamespace(pid)); err == nil && os.SameFile(ns, namespace) {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// killLeftOvers ends the processes that tests in a mount namespace forgot, lest they
// hold the pipe that the test's caller reads, or a cgroup.
func killLeftOvers(namespace *os.File) {
	info, err := namespace.Stat()
	if err != nil {
		return
	}
	pids, err := membersOf(info)
	if err != nil || slices.Contains(pids, os.Getpid()) {
		return
	}
	for _, pid := range pids {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
}
