package redirect

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/redirect/kern"
)

// port is what is known of a port on which somebody listens.
type port struct {
	pid   int  // one of those who do
	polls bool // its socket does not block
}

// listening returns the TCP ports on which processes listen.
func listening(pids []int) map[uint16]port {
	ports := make(map[uint16]port)
	tables := make(map[string]map[string]uint16) // by network namespace, from inode to port
	for _, pid := range pids {
		dir := filepath.Join("/proc", strconv.Itoa(pid))
		ns, err := os.Readlink(filepath.Join(dir, "ns/net"))
		if err != nil {
			continue // it has ended
		}
		table := tables[ns]
		if table == nil {
			table = listenTable(dir)
			tables[ns] = table
		}
		fds, err := os.ReadDir(filepath.Join(dir, "fd"))
		if err != nil {
			continue
		}
		for _, fd := range fds {
			target, _ := os.Readlink(filepath.Join(dir, "fd", fd.Name()))
			if inode, ok := strings.CutPrefix(target, "socket:["); ok {
				if n, ok := table[strings.TrimSuffix(inode, "]")]; ok {
					ports[n] = port{pid, polls(dir, fd.Name())}
				}
			}
		}
	}
	return ports
}

// polls tells whether a process has opened a file so that it does not block
// (proc_pid_fdinfo(5)).
func polls(process, fd string) bool {
	text, err := os.ReadFile(filepath.Join(process, "fdinfo", fd))
	if err != nil {
		return false
	}
	_, flags, _ := strings.Cut(string(text), "flags:")
	flags, _, _ = strings.Cut(flags, "\n")
	n, err := strconv.ParseUint(strings.TrimSpace(flags), 8, 32)
	return err == nil && n&unix.O_NONBLOCK != 0
}

// listenTable reads the listening sockets of a process's network namespace: the port
// of each inode.
func listenTable(process string) map[string]uint16 {
	table := make(map[string]uint16)
	for _, name := range []string{"net/tcp", "net/tcp6"} {
		text, err := os.ReadFile(filepath.Join(process, name))
		if err != nil {
			continue
		}
		// proc_pid_net(5): local address, state and inode among others.
		const local, state, inode, listen = 1, 3, 9, "0A"
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			if len(f) <= inode || f[state] != listen {
				continue
			}
			_, port, _ := strings.Cut(f[local], ":")
			if n, err := strconv.ParseUint(port, 16, 16); err == nil {
				table[f[inode]] = uint16(n)
			}
		}
	}
	return table
}

// descendants returns processes with their children, and the children's children.
func descendants(roots []int) []int {
	children := make(map[int][]int)
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		pid, parent, err := parseStat(string(text))
		if err == nil {
			children[parent] = append(children[parent], pid)
		}
	}
	seen := make(map[int]bool)
	queue := append([]int(nil), roots...)
	var all []int
	for len(queue) > 0 {
		pid := queue[0]
		queue = queue[1:]
		if seen[pid] {
			continue
		}
		seen[pid] = true
		all = append(all, pid)
		queue = append(queue, children[pid]...)
	}
	return all
}

// parseStat reads a line of proc_pid_stat(5): number, name in parentheses, state,
// number of the parent.
func parseStat(line string) (pid, parent int, err error) {
	head, _, ok := strings.Cut(line, " ")
	end := strings.LastIndex(line, ")")
	if !ok || end < 0 {
		return 0, 0, fmt.Errorf("read process: what is %q?", line)
	}
	if pid, err = strconv.Atoi(head); err != nil {
		return 0, 0, err
	}
	f := strings.Fields(line[end+1:])
	if len(f) < 2 {
		return 0, 0, fmt.Errorf("read process: what is %q?", line)
	}
	parent, err = strconv.Atoi(f[1])
	return pid, parent, err
}

// survey looks at the processes of the groups: what listens, and which belong to the
// processes named.
func (s *Session) survey() {
	var all []int
	for _, dir := range s.groups {
		all = append(all, members(dir)...)
	}
	for n, p := range listening(all) {
		l := kern.Listener{Manner: s.mannerOf(p.pid), PID: uint32(p.pid)}
		if old, err := s.kernel.Listeners.Get(uint32(n)); err == nil {
			l.Program, l.Polls = old.Program, old.Polls
		}
		if l.Polls == kern.Unseen && p.polls {
			l.Polls = kern.Believed
		}
		// A map that is full forgets the oldest, whose connections are then learnt
		// about one by one.
		_ = s.kernel.Listeners.Put(uint32(n), l)
	}
	if len(s.options.PIDs) == 0 {
		return
	}
	named := descendants(s.options.PIDs)
	pids := make(map[uint32]bool)
	for _, pid := range named {
		pids[uint32(pid)] = true
	}
	s.sync("processes", pids, s.pids, s.kernel.PIDs.Put, s.kernel.PIDs.Delete)
	ports := make(map[uint32]bool)
	for port := range listening(named) {
		if s.wanted(port) {
			ports[uint32(port)] = true
		}
	}
	s.sync("ports", ports, s.ports, s.kernel.Ports.Put, s.kernel.Ports.Delete)
}

// wanted tells whether the options allow a server port.
func (s *Session) wanted(port uint16) bool {
	if len(s.options.Ports) == 0 {
		return true
	}
	for _, p := range s.options.Ports {
		if p == port {
			return true
		}
	}
	return false
}

// sync makes a map of the kernel half, which has the keys in have, contain those in
// want.
func (s *Session) sync(what string, want, have map[uint32]bool, put func(uint32, uint32, ...mapFlags) error, remove func(uint32) error) {
	for k := range want {
		if have[k] {
			continue
		}
		if err := put(k, 1); err != nil {
			s.tell("full "+what, fmt.Sprintf("there are too many %s: %v", what, err))
			continue
		}
		have[k] = true
	}
	for k := range maps.Clone(have) {
		if !want[k] {
			_ = remove(k) // it may be gone
			delete(have, k)
		}
	}
}

// maxManners bounds the memory of mannerOf.
const maxManners = 1024

// mannerOf is judge with a memory, by executable file.
func (s *Session) mannerOf(pid int) kern.Manner {
	info, err := os.Stat(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return kern.MayAsk
	}
	for _, k := range s.manners {
		// Numbers of inodes are used again.
		if os.SameFile(k.file, info) && k.file.ModTime().Equal(info.ModTime()) && k.file.Size() == info.Size() {
			return k.manner
		}
	}
	if len(s.manners) == maxManners {
		s.manners = nil
	}
	m := s.judge(pid)
	s.manners = append(s.manners, known{info, m})
	return m
}

// known is what was found out about a program.
type known struct {
	file   os.FileInfo
	manner kern.Manner
}
