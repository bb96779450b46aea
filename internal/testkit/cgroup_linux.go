package testkit

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Cgroup is a cgroup (version 2) made for a test.
type Cgroup struct {
	// Path is its directory.
	Path string
}

// NewCgroup makes a cgroup below one that belongs to this process alone; both go
// when the test ends. It skips the test, or fails it in CI, where there is no
// cgroup2 file system.
func NewCgroup(t testing.TB) *Cgroup {
	t.Helper()
	RequireRoot(t)
	base, err := cgroupBase()
	if err != nil {
		if CI() {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	if err := os.MkdirAll(base, 0o755); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(base, "t")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := removeCgroup(dir); err != nil {
			t.Errorf("remove cgroup: %v", err)
		}
	})
	return &Cgroup{Path: dir}
}

// Join moves the whole test process into the cgroup until the test ends. Tests
// that do can't run in parallel.
func (g *Cgroup) Join(t testing.TB) {
	t.Helper()
	home, err := ownCgroup()
	if err != nil {
		t.Fatal(err)
	}
	if err := moveTo(g.Path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := moveTo(home); err != nil {
			t.Errorf("leave cgroup: %v", err)
		}
	})
}

// Use makes a command start in the cgroup. The cgroup is opened until the test ends.
func (g *Cgroup) Use(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	dir, err := os.Open(g.Path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.UseCgroupFD = true
	cmd.SysProcAttr.CgroupFD = int(dir.Fd())
}

// CgroupMount finds where the cgroup2 file system is mounted: /sys/fs/cgroup, or
// below it where version 1 has that place.
func CgroupMount() (string, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		// proc_pid_mountinfo(5): the mount point is the fifth field, the type the
		// first after the dash.
		head, tail, ok := strings.Cut(lines.Text(), " - ")
		fields := strings.Fields(head)
		if ok && len(fields) > 4 && strings.HasPrefix(tail, "cgroup2 ") {
			return fields[4], nil
		}
	}
	return "", errors.Join(errors.New("find cgroup2 file system: none mounted"), lines.Err())
}

const basePrefix = "waggle-test-"

// cgroupBase names the cgroup that all cgroups of this process lie in.
func cgroupBase() (string, error) {
	mount, err := CgroupMount()
	return filepath.Join(mount, basePrefix+strconv.Itoa(os.Getpid())), err
}

// removeCgroupBase removes this process's cgroup and those that killed test
// processes could not remove.
func removeCgroupBase() {
	mount, err := CgroupMount()
	if err != nil {
		return
	}
	bases, _ := filepath.Glob(filepath.Join(mount, basePrefix+"*"))
	for _, base := range bases {
		pid, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(base), basePrefix))
		if err != nil || pid != os.Getpid() && unix.Kill(pid, 0) == nil {
			continue
		}
		children, _ := filepath.Glob(filepath.Join(base, "t*"))
		for _, dir := range append(children, base) {
			_ = unix.Rmdir(dir) // one in use stays; takeStock has told
		}
	}
}

// removeCgroup removes an empty cgroup; it becomes empty only after the last
// process has been reaped.
func removeCgroup(dir string) error {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := unix.Rmdir(dir)
		if !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
			return err
		}
	}
}

func moveTo(dir string) error {
	return os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(os.Getpid())), 0)
}

// ownCgroup is the directory of the cgroup this process is in.
func ownCgroup() (string, error) {
	mount, err := CgroupMount()
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			return filepath.Join(mount, path), nil
		}
	}
	return "", fmt.Errorf("find own cgroup: no version 2 line in /proc/self/cgroup")
}
