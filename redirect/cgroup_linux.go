package redirect

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/waggle-bpf/waggle/internal/cgroup"
	"github.com/waggle-bpf/waggle/load"
)

// childPrefix begins the names of groups that were made for a command.
const childPrefix = "waggle-redirect-"

// Child is a control group for a command.
type Child struct {
	Path  string
	group *cgroup.Group
	home  string // the group it lies in
}

// NewChild makes a control group below that of this process. Those that killed
// processes have left there go.
func NewChild() (*Child, error) {
	home, err := cgroup.Own()
	if err != nil {
		return nil, unsupported(err)
	}
	for _, l := range cgroup.Sweep(home, childPrefix) {
		moveAll(l.Dir, home)
	}
	g, err := cgroup.Make(home, childPrefix)
	if errors.Is(err, fs.ErrPermission) {
		return nil, &load.PrivilegeError{Op: "make control group in " + home, Capability: "the right to write to it", Err: err}
	}
	if err != nil {
		return nil, err
	}
	return &Child{Path: g.Dir, group: g, home: home}, nil
}

// Remove moves the processes that are left back to where they would be without the
// group, and removes it.
func (c *Child) Remove() error {
	const patience = 5 * time.Second
	for deadline := time.Now().Add(patience); moveAll(c.Path, c.home) > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	return c.group.Remove()
}

// moveAll moves the processes of a group and those below it to another one, and returns
// how many there were.
func moveAll(from, to string) int {
	pids := members(from)
	for _, pid := range pids {
		// A process that has ended meanwhile needs no place.
		_ = os.WriteFile(filepath.Join(to, "cgroup.procs"), strconv.AppendInt(nil, int64(pid), 10), 0)
	}
	return len(pids)
}

// members lists the processes of a control group and those below it. Groups may go while
// one looks; those that are left count.
func members(dir string) []int {
	pids, _ := (&cgroup.Group{Dir: dir}).Processes()
	return slices.DeleteFunc(pids, func(pid int) bool { return pid == 0 }) // of other process namespaces
}

// unsupported is the error of a machine without control groups of version 2.
func unsupported(err error) error {
	return &load.UnsupportedError{Feature: "control groups of version 2 (mount -t cgroup2 cgroup2 /sys/fs/cgroup)", Err: err}
}

// groups returns the directories of all groups that the options name.
func (o *Options) groups() (dirs []string, err error) {
	for _, path := range o.Cgroups {
		dir, err := cgroup.Resolve(path)
		if errors.Is(err, cgroup.ErrNone) {
			return nil, inputErrorf("%w", err)
		}
		if err != nil {
			return nil, unsupported(err)
		}
		dirs = append(dirs, dir)
	}
	for _, pid := range o.PIDs {
		if _, err := os.Stat(filepath.Join("/proc", strconv.Itoa(pid))); err != nil {
			return nil, inputErrorf("find process %d: there is none", pid)
		}
		dir, err := cgroup.Of(pid)
		if err != nil {
			return nil, unsupported(err)
		}
		dirs = append(dirs, dir)
	}
	slices.Sort(dirs)
	dirs = slices.Compact(dirs)
	for _, dir := range dirs {
		if cgroup.IsRoot(dir) && !o.WholeMachine {
			return nil, inputErrorf("attach to control group %s: %w", dir, ErrRoot)
		}
	}
	return outermost(dirs), nil
}

// outermost leaves out groups that lie in others: programs see what is below, too.
func outermost(sorted []string) (dirs []string) {
	for _, dir := range sorted {
		if !slices.ContainsFunc(dirs, func(d string) bool { return cgroup.Within(dir, d) }) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}
