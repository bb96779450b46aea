package testkit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/cilium/ebpf"
)

// fakeT records how a test ends.
type fakeT struct {
	testing.TB
	end string
}

func (f *fakeT) Helper()               {}
func (f *fakeT) Fatal(...any)          { f.stop("fatal") }
func (f *fakeT) Fatalf(string, ...any) { f.stop("fatal") }
func (f *fakeT) Skip(...any)           { f.stop("skip") }
func (f *fakeT) Skipf(string, ...any)  { f.stop("skip") }

func (f *fakeT) stop(how string) {
	f.end = how
	panic(f)
}

// end tells how f ends the test it is given: "" if it goes on.
func end(f func(testing.TB)) (how string) {
	t := new(fakeT)
	defer func() {
		if r := recover(); r != nil && r != any(t) {
			panic(r)
		}
		how = t.end
	}()
	f(t)
	return
}

func TestNeed(t *testing.T) {
	if running() == (version{}) {
		t.Skip("no kernel version on this system")
	}
	absent := Absence{"reason", func() bool { return true }}
	present := Absence{"reason", func() bool { return false }}
	old := fmt.Errorf("feature %w (requires >= v2.6)", ebpf.ErrNotSupported)
	for _, test := range []struct {
		name     string
		err      error
		absences []Absence
		dev, ci  string
	}{
		{"no error", nil, nil, "", ""},
		{"other error", os.ErrNotExist, nil, "fatal", "fatal"},
		{"same text, other error", errors.New("not supported"), nil, "fatal", "fatal"},
		{"unknown version", fmt.Errorf("attach: %w", ebpf.ErrNotSupported), nil, "skip", "fatal"},
		{"old feature", old, nil, "skip", "fatal"},
		{"future feature", fmt.Errorf("f %w (requires >= v99.1)", ebpf.ErrNotSupported), nil, "skip", "skip"},
		{"future feature of load", fmt.Errorf("no x (Linux 99.1 has): %w", ebpf.ErrNotSupported), nil, "skip", "skip"},
		{"explained", old, []Absence{present, absent}, "skip", "skip"},
		{"not explained", old, []Absence{present}, "skip", "fatal"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for ci, want := range map[string]string{"0": test.dev, "1": test.ci} {
				t.Setenv("WAGGLE_CI", ci)
				if got := end(func(t testing.TB) { Need(t, test.err, test.absences...) }); got != want {
					t.Errorf("CI %s: got %q, want %q", ci, got, want)
				}
			}
		})
	}
}

func TestNeedKernel(t *testing.T) {
	if running() == (version{}) {
		t.Skip("no kernel version on this system")
	}
	for version, want := range map[string]string{"2.6": "", "99.0": "skip", "six": "fatal", KernelVersion(): ""} {
		if got := end(func(t testing.TB) { NeedKernel(t, version, "x") }); got != want {
			t.Errorf("%s: got %q, want %q", version, got, want)
		}
	}
}

func TestParseVersion(t *testing.T) {
	for in, want := range map[string]version{
		"6.1":                  {6, 1},
		"6.1.0-56-cloud-amd64": {6, 1},
		"6.18-rc3":             {6, 18},
		"5.15.0":               {5, 15},
	} {
		if got, err := parseVersion(in); got != want || err != nil {
			t.Errorf("%s: got %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "6", "six.one", "6."} {
		if got, err := parseVersion(in); err == nil {
			t.Errorf("%q: got %v, want an error", in, got)
		}
	}
}

func TestArchive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.txtar")
	if err := os.WriteFile(path, []byte("-- in --\nx\n-- out --\nold\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	run := func(t *testing.T, updating bool) {
		saved := *update
		*update = updating
		defer func() { *update = saved }()
		a := OpenArchive(t, path)
		if got := string(a.Get("in")); got != "x\n" {
			t.Errorf("got %q", got)
		}
		a.Want(t, "out", []byte("new"))
		a.Want(t, "more", []byte("more"))
	}
	t.Run("update", func(t *testing.T) { run(t, true) })
	t.Run("compare", func(t *testing.T) { run(t, false) })
	got, err := os.ReadFile(path)
	if want := "-- in --\nx\n-- out --\nnew\n-- more --\nmore\n"; string(got) != want || err != nil {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}
