//go:build linux

// Package cgroup makes and finds control groups of version 2: one for the service
// that is started, or the one in which a service lives already.
package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/load/probe"
)

// Own returns the directory of the cgroup this process is in.
func Own() (string, error) { return of("self") }

// Of returns the directory of the cgroup a process is in.
func Of(pid int) (string, error) { return of(strconv.Itoa(pid)) }

func of(pid string) (string, error) {
	mount, err := probe.Cgroup2()
	if err != nil {
		return "", fmt.Errorf("find cgroup: %w", err)
	}
	text, err := os.ReadFile("/proc/" + pid + "/cgroup")
	if err != nil {
		return "", fmt.Errorf("find cgroup: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		// cgroups(7): version 2 is hierarchy 0, and has no controllers here.
		if path, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "0::"); ok {
			dir := filepath.Join(mount, path)
			if _, err := os.Stat(dir); err != nil {
				return "", fmt.Errorf("find cgroup: %w", err)
			}
			return dir, nil
		}
	}
	return "", errors.New("find cgroup: this kernel has no control groups of version 2")
}

// ByID returns the directory of the cgroup with that ID, which is the number of its
// directory's inode.
func ByID(id uint64) (string, error) {
	mount, err := probe.Cgroup2()
	if err != nil {
		return "", fmt.Errorf("find cgroup: %w", err)
	}
	var found string
	err = each(mount, func(dir string, ino uint64) error {
		if ino == id {
			found = dir
			return fs.SkipAll
		}
		return nil
	})
	if err == nil && found == "" {
		err = fmt.Errorf("none has ID %d; it may lie outside of this container", id)
	}
	if err != nil {
		return "", fmt.Errorf("find cgroup: %w", err)
	}
	return found, nil
}

// IDs returns the IDs of a cgroup and all below it.
func IDs(dir string) (map[uint64]bool, error) {
	ids := make(map[uint64]bool)
	err := each(dir, func(_ string, ino uint64) error {
		ids[ino] = true
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read cgroup: %w", err)
	}
	return ids, nil
}

// each calls f for a cgroup and all below it. Some of them may go meanwhile.
func each(dir string, f func(dir string, ino uint64) error) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && path != dir {
			return nil
		}
		if err != nil || !d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return nil
		}
		if st, ok := info.Sys().(*syscall.Stat_t); ok {
			return f(path, st.Ino)
		}
		return nil
	})
}

// Group is a cgroup that was made for a service.
type Group struct {
	Dir string
	fd  *os.File
}

// Make makes a cgroup below parent.
func Make(parent, name string) (*Group, error) {
	dir := filepath.Join(parent, name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make cgroup: %w", err)
	}
	fd, err := os.Open(dir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make cgroup: %w", err), os.Remove(dir))
	}
	return &Group{Dir: dir, fd: fd}, nil
}

// staleAfter is how old the cgroup of a dead process has to be to be swept: what looks
// dead may live in another process namespace, and be about to start something.
const staleAfter = time.Minute

// Sweep removes the empty cgroups below parent whose name is prefix and the number of
// a process that has died: somebody has killed it before it could clean up.
func Sweep(parent, prefix string) {
	dirs, _ := filepath.Glob(filepath.Join(parent, prefix+"*"))
	for _, dir := range dirs {
		pid, err := strconv.Atoi(strings.TrimPrefix(filepath.Base(dir), prefix))
		if err != nil || unix.Kill(pid, 0) != unix.ESRCH {
			continue
		}
		if info, err := os.Stat(dir); err == nil && time.Since(info.ModTime()) > staleAfter {
			_ = unix.Rmdir(dir) // one that is in use stays
		}
	}
}

// FD is for starting a process in the cgroup (CLONE_INTO_CGROUP).
func (g *Group) FD() int { return int(g.fd.Fd()) }

// Processes lists the processes in the cgroup and those below it.
func (g *Group) Processes() (pids []int, err error) {
	err = each(g.Dir, func(dir string, _ uint64) error {
		text, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
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
