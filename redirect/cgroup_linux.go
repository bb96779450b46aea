package redirect

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/load"
	"github.com/waggle-bpf/waggle/load/probe"
)

// mount returns where the cgroup2 file system is mounted.
func mount() (string, error) {
	dir, err := probe.Cgroup2()
	if err != nil {
		return "", &load.UnsupportedError{Feature: "control groups of version 2 (mount -t cgroup2 cgroup2 /sys/fs/cgroup)", Err: err}
	}
	return dir, nil
}

// resolve returns the directory of a control group: the path, or that path below the
// mount point.
func resolve(path string) (string, error) {
	top, err := mount()
	if err != nil {
		return "", err
	}
	found := false
	for _, dir := range []string{path, filepath.Join(top, path)} {
		ok, err := isCgroup(dir)
		if ok {
			return filepath.Clean(dir), nil
		}
		found = found || err == nil
	}
	if found {
		return "", inputErrorf("open control group %s: it is no control group of version 2; those are below %s", path, top)
	}
	return "", inputErrorf("open control group %s: there is none, neither as a directory nor below %s", path, top)
}

func isCgroup(dir string) (bool, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return false, &fs.PathError{Op: "statfs", Path: dir, Err: err}
	}
	return st.Type == unix.CGROUP2_SUPER_MAGIC, nil
}

// isRoot tells whether a control group is the root of all: it alone has no type.
func isRoot(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "cgroup.type"))
	return errors.Is(err, fs.ErrNotExist)
}

// cgroupOf returns the directory of a process's control group.
func cgroupOf(pid string) (string, error) {
	top, err := mount()
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(filepath.Join("/proc", pid, "cgroup"))
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			return filepath.Join(top, path), nil
		}
	}
	return "", fmt.Errorf("find control group of process %s: it has none of version 2", pid)
}

// members lists the processes of a control group and those below it.
func members(dir string) (pids []int) {
	// Groups may go while one looks; those that are left count.
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			pids = append(pids, processes(path)...)
		}
		return nil
	})
	return pids
}

func processes(dir string) (pids []int) {
	text, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if err != nil {
		return nil
	}
	for _, f := range strings.Fields(string(text)) {
		if pid, err := strconv.Atoi(f); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids
}

// childPrefix begins the names of groups that were made for a command, and its
// process's number follows.
const childPrefix = "waggle-redirect-"

// Child is a control group for a command.
type Child struct {
	Path string
	home string // the group it lies in
}

// NewChild makes a control group below that of this process. Those that killed
// processes have left there go.
func NewChild() (*Child, error) {
	home, err := cgroupOf("self")
	if err != nil {
		return nil, err
	}
	removeStale(home)
	c := &Child{home: home, Path: filepath.Join(home, childPrefix+strconv.Itoa(os.Getpid()))}
	if err := os.Mkdir(c.Path, 0o755); err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return nil, &load.PrivilegeError{Op: "make control group " + c.Path, Capability: "the right to write to " + home, Err: err}
		}
		return nil, fmt.Errorf("make control group: %w", err)
	}
	return c, nil
}

func removeStale(home string) {
	dirs, _ := filepath.Glob(filepath.Join(home, childPrefix+"*"))
	for _, dir := range dirs {
		pid, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(dir), childPrefix))
		if err == nil && unix.Kill(pid, 0) == unix.ESRCH {
			_ = (&Child{Path: dir, home: home}).Remove() // one that can't go stays
		}
	}
}

// Remove moves the processes that are left back to where they would be without the
// group, and removes it.
func (c *Child) Remove() error {
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		for _, pid := range processes(c.Path) {
			// A process that has ended meanwhile needs no place.
			_ = os.WriteFile(filepath.Join(c.home, "cgroup.procs"), strconv.AppendInt(nil, int64(pid), 10), 0)
		}
		err := unix.Rmdir(c.Path)
		if err == nil || errors.Is(err, unix.ENOENT) {
			return nil
		}
		if !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
			return fmt.Errorf("remove control group %s: %w", c.Path, err)
		}
	}
}

// groups returns the directories of all groups that the options name.
func (o *Options) groups() (dirs []string, err error) {
	for _, path := range o.Cgroups {
		dir, err := resolve(path)
		if err != nil {
			return nil, err
		}
		dirs = append(dirs, dir)
	}
	for _, pid := range o.PIDs {
		dir, err := cgroupOf(strconv.Itoa(pid))
		if errors.Is(err, fs.ErrNotExist) {
			err = inputErrorf("find process %d: there is none", pid)
		}
		if err != nil {
			return nil, err
		}
		dirs = append(dirs, dir)
	}
	slices.Sort(dirs)
	dirs = slices.Compact(dirs)
	for _, dir := range dirs {
		if isRoot(dir) && !o.WholeMachine {
			return nil, inputErrorf("attach to control group %s: %w", dir, ErrRoot)
		}
	}
	return outermost(dirs), nil
}

// outermost leaves out groups that lie in others: programs see what is below, too.
func outermost(sorted []string) (dirs []string) {
	for _, dir := range sorted {
		inside := slices.ContainsFunc(dirs, func(d string) bool { return strings.HasPrefix(dir, d+"/") })
		if !inside {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}
