//go:build linux

package vm

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// archive writes a cpio archive in the "newc" form that the kernel unpacks into
// its initial root file system (Documentation/driver-api/early-userspace/
// buffer-format.rst). The first error sticks; close returns it.
type archive struct {
	w    io.Writer
	ino  uint32
	dirs map[string]bool
	seen map[string]bool
	err  error
}

// File modes, from stat(2).
const (
	modeDir  = 0o040755
	modeFile = 0o100755
)

func newArchive(w io.Writer) *archive {
	return &archive{w: w, dirs: map[string]bool{"/": true}, seen: map[string]bool{}}
}

func (a *archive) fail(err error) {
	if a.err == nil {
		a.err = err
	}
}

// dir adds a directory and those above it, unless they are there.
func (a *archive) dir(path string) {
	path = filepath.Clean(path)
	if a.dirs[path] {
		return
	}
	a.dirs[path] = true
	a.dir(filepath.Dir(path))
	a.entry(path, modeDir, 0, strings.NewReader(""))
}

// data adds a file with the given content.
func (a *archive) data(path string, content []byte) {
	a.dir(filepath.Dir(path))
	a.entry(path, modeFile, int64(len(content)), strings.NewReader(string(content)))
}

// file adds a copy of a file of the host.
func (a *archive) file(path, from string) {
	if a.seen[path] {
		return
	}
	a.seen[path] = true
	f, err := os.Open(from)
	if err != nil {
		a.fail(err)
		return
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		a.fail(err)
		return
	}
	a.dir(filepath.Dir(path))
	a.entry(path, modeFile, st.Size(), f)
}

// entry writes one member: a header of 13 hexadecimal numbers, the name and the
// content, the last two padded to multiples of four bytes.
func (a *archive) entry(path string, mode uint32, size int64, content io.Reader) {
	if a.err != nil {
		return
	}
	a.ino++
	name := strings.TrimPrefix(path, "/")
	var h strings.Builder
	h.WriteString("070701")
	for _, v := range []int64{int64(a.ino), int64(mode), 0, 0, 1, 0, size, 0, 0, 0, 0, int64(len(name)) + 1, 0} {
		fmt.Fprintf(&h, "%08x", v)
	}
	h.WriteString(name)
	h.WriteString("\x00")
	h.WriteString(padding(int64(h.Len())))
	if _, err := io.WriteString(a.w, h.String()); err != nil {
		a.fail(err)
		return
	}
	if n, err := io.Copy(a.w, io.LimitReader(content, size)); err != nil || n != size {
		a.fail(fmt.Errorf("copy %s: %d of %d bytes: %w", path, n, size, err))
		return
	}
	if _, err := io.WriteString(a.w, padding(size)); err != nil {
		a.fail(err)
	}
}

func padding(n int64) string { return "\x00\x00\x00"[:-n&3] }

// close writes the trailer.
func (a *archive) close() error {
	a.entry("/TRAILER!!!", 0, 0, strings.NewReader(""))
	return a.err
}
