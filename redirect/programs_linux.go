package redirect

import (
	"bufio"
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/waggle-bpf/waggle/redirect/kern"
)

// splicers are programs that read a connection with system calls first and splice it
// later, when it has proved itself.
var splicers = []string{"haproxy", "systemd-socket-proxyd"}

// askers are programs that ask how much there is to be read, and wait if that is
// nothing. Before Linux 6.18.14 and 6.12.75 the answer does not include what is in
// the short cut.
var askers = []string{"nginx"}

// judge finds out how a process's program reads from sockets.
func (s *Session) judge(pid int) kern.Manner {
	name := comm(pid)
	if slices.Contains(splicers, name) || s.blind && slices.Contains(askers, name) {
		return kern.Refused
	}
	files, err := mapped(pid)
	if err != nil || len(files) == 0 {
		return kern.MayAsk
	}
	m := kern.Reads
	for _, file := range files {
		m = max(m, mannerOfFile(file))
	}
	return m
}

// comm is a process's name, or that of its number.
func comm(pid int) string {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return strconv.Itoa(pid)
	}
	return strings.TrimSpace(string(name))
}

// mapped lists the files with code that a process has: its program and libraries. They
// are opened by way of the process, which may see other files than we do.
func mapped(pid int) (files []string, err error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		// proc_pid_maps(5): address, permissions, offset, device, inode, path.
		fields := strings.Fields(lines.Text())
		const permissions, path = 1, 5
		if len(fields) <= path || !strings.Contains(fields[permissions], "x") || !strings.HasPrefix(fields[path], "/") {
			continue
		}
		file := filepath.Join("/proc", strconv.Itoa(pid), "map_files", fields[0])
		if _, err := os.Stat(file); err != nil {
			file = filepath.Join("/proc", strconv.Itoa(pid), "root", fields[path])
		}
		files = append(files, file)
	}
	return files, lines.Err()
}

// mannerOfFile tells whether a file has code that could call splice(2), and ioctl(2)
// besides: it imports the function, or it has its system calls in itself, as Go programs
// and static ones do. Go's library does not ask how much there is to be read.
func mannerOfFile(file string) kern.Manner {
	f, err := elf.Open(file)
	if err != nil {
		return kern.MayAsk
	}
	defer f.Close()
	if f.Section(".go.buildinfo") != nil {
		return kern.MaySplice
	}
	imports, err := f.ImportedSymbols()
	if err != nil || f.Section(".dynsym") == nil {
		return kern.MayAsk
	}
	if slices.ContainsFunc(imports, func(s elf.ImportedSymbol) bool { return s.Name == "splice" }) {
		return kern.MayAsk
	}
	return kern.Reads
}

// sighted takes what the programs report.
func (s *Session) sighted(e kern.Sighting) {
	switch e.Event {
	case kern.NewProgram:
		s.know(e.Program, int(e.PID))
	case kern.Leaving:
		s.watch(e.Slot, e.ID)
	case kern.Spliced:
		s.watch(e.Slot, e.ID)
		name := comm(int(e.PID))
		s.tell("splice "+name, fmt.Sprintf("%s (process %d) calls splice, which does not see the short cut: what is sent to such connections of it goes through TCP", name, e.PID))
	case kern.SplicedTooLate:
		name := comm(int(e.PID))
		s.setManner(e.Program, kern.Refused)
		s.tell("stuck "+name, fmt.Sprintf("%s (process %d) calls splice on a connection that was short-cut because it had not done so before: that connection is reset, and new ones of the program go through TCP", name, e.PID))
		s.reset(e.Slot, e.ID)
	}
}

// know finds out about a program that the kernel half does not know.
func (s *Session) know(p kern.Program, pid int) {
	m := s.judge(pid)
	s.setManner(p, m)
	if m == kern.Refused {
		name := comm(pid)
		s.tell("refused "+name, fmt.Sprintf("connections of %s (process %d) are not short-cut: %s", name, pid, s.objection(name)))
	}
}

func (s *Session) objection(name string) string {
	if slices.Contains(askers, name) {
		return "it asks for the amount to read, which this kernel does not tell for the short cut (Linux 6.18.14 does)"
	}
	return "it may splice them, and splice does not see the short cut"
}

// setManner tells the kernel half about a program, and about its listeners. An entry
// that can't be written is one that the next connection asks for again.
func (s *Session) setManner(p kern.Program, m kern.Manner) {
	_ = s.kernel.Programs.Put(p, m)
	var err error
	for port, l := range s.kernel.Listeners.All(&err) {
		if l.Program == p {
			l.Manner = m
			_ = s.kernel.Listeners.Put(port, l)
		}
	}
}

// tell tells the user something once.
func (s *Session) tell(key, text string) {
	s.mu.Lock()
	told := s.told[key]
	s.told[key] = true
	s.mu.Unlock()
	if !told {
		s.options.Notice(text)
	}
}
