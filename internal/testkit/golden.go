package testkit

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// update makes Golden and Archive.Want write what they were given.
var update = flag.Bool("update", false, "write golden files instead of comparing with them")

// Updating tells whether golden files are being written: the flag -update.
func Updating() bool { return *update }

// Golden compares got with the content of a file; with -update it writes the file.
func Golden(t testing.TB, path string, got []byte) {
	t.Helper()
	if Updating() {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; go test -update writes it", err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got); go test -update accepts it:\n%s", path, diff)
	}
}

// Archive is a txtar file: inputs and expected outputs of one test together.
type Archive struct {
	Path string
	*txtar.Archive
	changed bool
}

// OpenArchive reads a txtar file. With -update, what Want changed is written
// back when the test ends.
func OpenArchive(t testing.TB, path string) *Archive {
	t.Helper()
	ar, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	a := &Archive{Path: path, Archive: ar}
	t.Cleanup(func() {
		if !a.changed {
			return
		}
		if err := os.WriteFile(path, txtar.Format(a.Archive), 0o644); err != nil {
			t.Error(err)
		}
	})
	return a
}

// EachArchive runs f as a subtest for each file that matches the pattern, which
// has to match some.
func EachArchive(t *testing.T, pattern string, f func(*testing.T, *Archive)) {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Fatalf("no file matches %s", pattern)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
		t.Run(name, func(t *testing.T) { f(t, OpenArchive(t, path)) })
	}
}

// Get returns a section's content, nil if there is no such section.
func (a *Archive) Get(name string) []byte {
	if f := a.find(name); f != nil {
		return f.Data
	}
	return nil
}

// Sections returns all sections by name, for an in-memory package.
func (a *Archive) Sections() map[string][]byte {
	m := make(map[string][]byte, len(a.Archive.Files))
	for _, f := range a.Archive.Files {
		m[f.Name] = f.Data
	}
	return m
}

// Want compares got with a section; with -update it becomes the section.
func (a *Archive) Want(t testing.TB, name string, got []byte) {
	t.Helper()
	if len(got) > 0 && !bytes.HasSuffix(got, []byte("\n")) {
		got = append(got[:len(got):len(got)], '\n') // sections end their last line
	}
	f := a.find(name)
	if Updating() {
		if f == nil {
			a.Archive.Files = append(a.Archive.Files, txtar.File{Name: name})
			f = &a.Archive.Files[len(a.Archive.Files)-1]
		}
		f.Data, a.changed = got, true
		return
	}
	if f == nil {
		t.Errorf("%s has no section %s; go test -update adds it", a.Path, name)
		return
	}
	if diff := cmp.Diff(string(f.Data), string(got)); diff != "" {
		t.Errorf("%s: section %s differs (-want +got); go test -update accepts it:\n%s", a.Path, name, diff)
	}
}

func (a *Archive) find(name string) *txtar.File {
	for i := range a.Archive.Files {
		if a.Archive.Files[i].Name == name {
			return &a.Archive.Files[i]
		}
	}
	return nil
}
