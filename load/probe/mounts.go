package probe

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/cilium/ebpf"
)

// Cgroup2 finds where the version 2 control group file system is mounted:
// /sys/fs/cgroup on most machines, /sys/fs/cgroup/unified beside version 1.
func Cgroup2() (string, error) { return mountOf("cgroup2", "/sys/fs/cgroup") }

// BPFFS finds a mounted BPF file system, where links and maps are pinned.
func BPFFS() (string, error) { return mountOf("bpf", "/sys/fs/bpf") }

// TraceFS finds the tracing file system, through which tracepoints, kprobes
// and uprobes are attached.
func TraceFS() (string, error) { return mountOf("tracefs", "/sys/kernel/tracing") }

func mounts() []Feature {
	var list []Feature
	for _, m := range []struct {
		name, use, usual string
		find             func() (string, error)
	}{
		{"cgroup2", "programs on control groups", "/sys/fs/cgroup", Cgroup2},
		{"bpf", "pinned links, maps and programs", "/sys/fs/bpf", BPFFS},
		{"tracefs", "tracepoints and probes", "/sys/kernel/tracing", TraceFS},
	} {
		where, err := m.find()
		if err != nil {
			err = missing(fmt.Sprintf("not mounted; mount -t %s %s %s does it", m.name, m.name, m.usual))
		}
		t := test{"file system " + m.name, "", m.use, func() error { return err }}
		f := t.feature(Mounts)
		f.Where = where
		list = append(list, f)
	}
	return list
}

// mountOf finds a mount of a file system type: the one at its usual place if
// there is one, else the first.
func mountOf(kind, usual string) (string, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", fmt.Errorf("find file system %s: %w", kind, err)
	}
	first := ""
	for line := range strings.Lines(string(text)) {
		path, typ, ok := parseMount(line)
		switch {
		case !ok || typ != kind:
		case path == usual:
			return path, nil
		case first == "":
			first = path
		}
	}
	if first == "" {
		return "", fmt.Errorf("find file system %s: not mounted: %w", kind, ebpf.ErrNotSupported)
	}
	return first, nil
}

// parseMount reads a line of mountinfo, see proc_pid_mountinfo(5): the mount
// point is the fifth field, the type the first behind the dash.
func parseMount(line string) (path, typ string, ok bool) {
	fields := strings.Fields(line)
	dash := slices.Index(fields, "-")
	if dash < 5 || dash+1 >= len(fields) {
		return "", "", false
	}
	return unescape(fields[4]), fields[dash+1], true
}

// unescape undoes the octal escapes of blanks and backslashes.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
