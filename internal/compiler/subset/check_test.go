package subset

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/waggle-bpf/waggle/internal/compiler/diag"
	"github.com/waggle-bpf/waggle/internal/compiler/source"
)

// complaints loads and checks one file.
func complaints(t *testing.T, src string, roots ...string) diag.List {
	t.Helper()
	pkg, err := source.Load(source.Config{Files: map[string][]byte{"p.go": []byte(src)}, Roots: roots, Check: true})
	if err != nil {
		list := (diag.List)(nil)
		if !errors.As(err, &list) {
			t.Fatal(err)
		}
		return list
	}
	return Check(pkg)
}

// TestExamples wants every example to get its own code and no other. Those of the
// late rules are left to package compile.
func TestExamples(t *testing.T) {
	for _, r := range Rules {
		if r.Example == "" || slices.ContainsFunc(lateRules, func(l diag.Rule) bool { return l.Code == r.Code }) {
			continue
		}
		list := complaints(t, r.Example)
		if len(list) == 0 {
			t.Errorf("%s %s: accepted", r.Code, r.Title)
		}
		for _, d := range list {
			if d.Code != r.Code {
				t.Errorf("%s %s: got %v", r.Code, r.Title, d)
			}
		}
	}
}

func TestRulesAreInOrder(t *testing.T) {
	family := 0
	for i, r := range Rules {
		if i > 0 && Rules[i-1].Code >= r.Code {
			t.Errorf("%s comes after %s", r.Code, Rules[i-1].Code)
		}
		for family < len(Families) && !strings.HasPrefix(r.Code, Families[family].Prefix) {
			family++
		}
		if family == len(Families) {
			t.Fatalf("%s is of no family", r.Code)
		}
		if r.Title == "" || r.Why == "" || r.WayOut == "" || strings.HasSuffix(r.Why, ".") || strings.HasSuffix(r.WayOut, ".") {
			t.Errorf("%s: a rule wants a title, a reason and a way out, without full stops", r.Code)
		}
	}
}

// FuzzCheck wants an answer, not a panic, to any file.
func FuzzCheck(f *testing.F) {
	for _, r := range Rules {
		f.Add(r.Example)
	}
	names, err := filepath.Glob("testdata/*.go")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		src, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(src))
	}
	f.Fuzz(func(t *testing.T, src string) {
		pkg, err := source.Load(source.Config{Files: map[string][]byte{"p.go": []byte(src)}, Check: true})
		if err == nil {
			Check(pkg)
		}
	})
}
