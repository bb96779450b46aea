//go:build linux

// Package cgroup finds control groups of version 2, those in which services live already,
// and makes them for services that are started.
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

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/load/probe"
)

// ErrNone is that a path does not name a cgroup.
var ErrNone = errors.New("not a control group of version 2")

// Resolve returns the directory of the cgroup that a user names: by its path, or by its
// path below the mount point.
func Resolve(path string) (string, error) {
	mount, err := probe.Cgroup2()
	if err != nil {
		return "", fmt.Errorf("find cgroup: %w", err)
	}
	for _, dir := range []string{path, filepath.Join(mount, path)} {
		var st unix.Statfs_t
		if unix.Statfs(dir, &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC {
			return filepath.Abs(dir)
		}
	}
	return "", fmt.Errorf("find cgroup %s: %w; those lie below %s", path, ErrNone, mount)
}

// Within tells whether a cgroup is another one or lies below it. Both are named by their
// directories.
func Within(dir, other string) bool {
	return dir == other || strings.HasPrefix(dir, strings.TrimSuffix(other, "/")+"/")
}

// IsRoot tells whether a cgroup is the root of all: it alone has no cgroup.events. The root
// of a cgroup namespace is not meant.
func IsRoot(dir string) bool {
	if _, err := os.Stat(filepath.Join(dir, "cgroup.procs")); err != nil {
		return false
	}
	_, err := os.Stat(filepath.Join(dir, "cgroup.events"))
	return errors.Is(err, fs.ErrNotExist)
}

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
