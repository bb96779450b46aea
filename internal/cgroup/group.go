//go:build linux

package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Group is a cgroup that was made for a service. While its directory is locked (flock(2))
// it has an owner who lives: numbers of processes tell nothing, they differ from one
// process namespace to the next and come back.
type Group struct {
	Dir string
	fd  *os.File
}

// maxTries bounds how many names are tried: process 1 of each container has the same.
const maxTries = 100

// Make makes a cgroup below parent. Its name is prefix and this process's number, and one
// more number if others have that.
func Make(parent, prefix string) (*Group, error) {
	name := filepath.Join(parent, prefix+strconv.Itoa(os.Getpid()))
	for i := range maxTries {
		dir := name
		if i > 0 {
			dir = fmt.Sprintf("%s.%d", name, i)
		}
		g, err := tryMake(dir)
		if !errors.Is(err, fs.ErrExist) {
			return g, err
		}
	}
	return nil, fmt.Errorf("make cgroup: %s and %d more are taken", name, maxTries-1)
}

func tryMake(dir string) (*Group, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make cgroup: %w", err)
	}
	g := &Group{Dir: dir}
	err := g.own()
	if errors.Is(err, errOwned) || errors.Is(err, fs.ErrNotExist) { // Sweep was faster
		return nil, fmt.Errorf("make cgroup: %w", fs.ErrExist)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make cgroup: %w", err), os.Remove(dir))
	}
	return g, nil
}

// errOwned is that somebody else is the owner.
var errOwned = errors.New("it has another owner")

// own makes this process the owner, until its end.
func (g *Group) own() error {
	fd, err := os.Open(g.Dir)
	if err != nil {
		return err
	}
	err = unix.Flock(int(fd.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = errOwned
	}
	if err == nil {
		err = stillThere(g.Dir, fd)
	}
	if err != nil {
		return errors.Join(err, fd.Close())
	}
	g.fd = fd
	return nil
}

// stillThere makes sure that what is locked has not been removed meanwhile.
func stillThere(dir string, fd *os.File) error {
	opened, err := fd.Stat()
	if err != nil {
		return err
	}
	there, err := os.Stat(dir)
	if err == nil && !os.SameFile(opened, there) {
		err = errOwned
	}
	return err
}

// Leftover is a cgroup whose owner was killed, and in which processes run still.
type Leftover struct {
	Dir       string
	Processes int
}

// Sweep removes the empty cgroups below parent whose name begins with prefix and whose
// owner has died: somebody has killed it before it could clean up. It returns those that
// are not empty.
func Sweep(parent, prefix string) (left []Leftover) {
	dirs, _ := filepath.Glob(filepath.Join(parent, prefix+"*"))
	for _, dir := range dirs {
		g := &Group{Dir: dir}
		if g.own() != nil {
			continue
		}
		if pids, err := g.Processes(); err == nil && len(pids) > 0 {
			left = append(left, Leftover{dir, len(pids)})
		} else {
			_ = g.rmdir() // one that can't go stays
		}
		_ = g.fd.Close()
	}
	return left
}

// FD is for starting a process in the cgroup (CLONE_INTO_CGROUP).
func (g *Group) FD() int { return int(g.fd.Fd()) }

// Processes lists the processes in the cgroup and those below it. Some of these may go
// meanwhile.
func (g *Group) Processes() (pids []int, err error) {
	err = each(g.Dir, func(dir string, _ uint64) error {
		text, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
		if dir != g.Dir && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV)) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, line := range strings.Fields(string(text)) {
			pid, err := strconv.Atoi(line)
			if err != nil {
				return err
			}
			pids = append(pids, pid)
		}
		return nil
	})
	return pids, err
}

// Signal sends a signal to all processes of the cgroup.
func (g *Group) Signal(s unix.Signal) error {
	pids, err := g.Processes()
	if err != nil {
		return fmt.Errorf("signal cgroup: %w", err)
	}
	for _, pid := range pids {
		_ = unix.Kill(pid, s) // it may just have ended
	}
	return nil
}

// Kill kills all processes of the cgroup, also those they are about to make.
func (g *Group) Kill() error {
	err := os.WriteFile(filepath.Join(g.Dir, "cgroup.kill"), []byte("1"), 0)
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	// Before Linux 5.14 one by one, until there is none.
	for range 100 {
		pids, err := g.Processes()
		if err != nil || len(pids) == 0 {
			return err
		}
		if err := g.Signal(unix.SIGKILL); err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	return fmt.Errorf("kill cgroup %s: its processes don't end", g.Dir)
}

// removePatience is how long killed processes may take to be gone.
const removePatience = 5 * time.Second

// Remove kills what runs in the cgroup and removes it, with those that its processes
// made below it.
func (g *Group) Remove() error {
	err := g.Kill()
	for deadline := time.Now().Add(removePatience); ; time.Sleep(2 * time.Millisecond) {
		rmErr := g.rmdir()
		if rmErr == nil || errors.Is(rmErr, fs.ErrNotExist) {
			err = nil
			break
		}
		if time.Now().After(deadline) {
			err = errors.Join(err, fmt.Errorf("remove cgroup: %w", rmErr))
			break
		}
	}
	return errors.Join(err, g.fd.Close())
}

func (g *Group) rmdir() error {
	var dirs []string
	err := each(g.Dir, func(dir string, _ uint64) error {
		dirs = append(dirs, dir)
		return nil
	})
	for i := len(dirs) - 1; i >= 0; i-- {
		err = unix.Rmdir(dirs[i])
	}
	if err != nil {
		return &fs.PathError{Op: "rmdir", Path: g.Dir, Err: err}
	}
	return nil
}
