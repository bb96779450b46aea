package source

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"go/ast"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/waggle-bpf/waggle/internal/compiler/diag"
)

var update = flag.Bool("update", false, "rewrite the want sections of testdata")

// TestArchives loads the packages in testdata. An archive holds files, those
// without a directory being the package itself, and a section "want": what the
// package comes to, or the complaints about it. A line "roots: A B" in front
// names roots, "dir: X" the package's directory.
func TestArchives(t *testing.T) {
	names, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(names) == 0 {
		t.Fatal("no archives", err)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			runArchive(t, name)
		})
	}
}

func runArchive(t *testing.T, name string) {
	ar, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	want := &txtar.File{Name: "want"}
	for i, f := range ar.Files {
		if f.Name == "want" {
			want = &ar.Files[i]
			continue
		}
		writeFile(t, filepath.Join(root, f.Name), f.Data)
	}
	got := outcome(root, settings(ar.Comment))
	if *update {
		if want.Data == nil {
			ar.Files = append(ar.Files, *want)
			want = &ar.Files[len(ar.Files)-1]
		}
		want.Data = []byte(got)
		if err := os.WriteFile(name, txtar.Format(ar), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(want.Data), got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func writeFile(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// settings reads "key: value" lines.
func settings(comment []byte) map[string]string {
	m := make(map[string]string)
	for line := range strings.Lines(string(comment)) {
		if key, value, ok := strings.Cut(line, ": "); ok {
			m[key] = strings.TrimSpace(value)
		}
	}
	return m
}

// outcome loads and prints what came of it, without the temporary directory.
func outcome(root string, set map[string]string) string {
	pkg, err := Load(Config{
		Dir:    filepath.Join(root, set["dir"]),
		Roots:  strings.Fields(set["roots"]),
		GOARCH: set["goarch"],
		Check:  true,
	})
	text := ""
	if err != nil {
		text = err.Error() + "\n"
		if list := (diag.List)(nil); !errors.As(err, &list) {
			text = "not a diagnostic: " + text
		}
	} else {
		text = dump(pkg)
	}
	return strings.ReplaceAll(strings.ReplaceAll(text, root+"/", ""), root, ".")
}

func dump(pkg *Package) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "package %s, license %s\n", pkg.Path, pkg.License)
	for _, p := range pkg.Programs {
		fmt.Fprintf(&b, "program %s: %s %q, on a fault %d\n", p.Func.Name(), p.Kind.Name, p.Target, p.Verdict)
	}
	for _, fn := range pkg.Roots {
		fmt.Fprintf(&b, "root %s\n", fn.Name())
	}
	for _, m := range pkg.Maps {
		fmt.Fprintf(&b, "map %s (%s): bpf.%s", m.Name, m.Var, m.Type.GoName)
		fmt.Fprintf(&b, " key %v value %v event %v max_entries %d flags %#x pin %t\n", m.Key, m.Value, m.Event, m.MaxEntries, m.Flags, m.Pin)
		for i, p := range m.Slots {
			if p != nil {
				fmt.Fprintf(&b, "\tslot %d: %s\n", i, p.Func.Name())
			}
		}
	}
	for _, g := range pkg.Globals {
		fmt.Fprintf(&b, "global %s (%s): %s const %t = %s\n", g.Name, g.Var, g.Type, g.Const, hex.EncodeToString(g.Init))
	}
	dumpFiles(&b, pkg.Types.Path(), pkg.Files)
	for _, imp := range pkg.Imports {
		if !imp.Library {
			dumpFiles(&b, imp.Types.Path(), imp.Files)
		}
	}
	var attrs []string
	for fn := range pkg.NoInline {
		attrs = append(attrs, "noinline "+fn.Name())
	}
	for name, btf := range pkg.BTFNames {
		attrs = append(attrs, "btf "+name.Name()+" "+btf)
	}
	slices.Sort(attrs)
	for _, a := range attrs {
		fmt.Fprintln(&b, a)
	}
	return b.String()
}

func dumpFiles(b *bytes.Buffer, path string, files []*ast.File) {
	for _, f := range files {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				fmt.Fprintf(b, "func %s.%s\n", path, fn.Name.Name)
			}
		}
	}
}

func TestExamplesOfLoading(t *testing.T) {
	for _, r := range Rules {
		if r.Example == "" {
			continue
		}
		_, err := Load(Config{Files: map[string][]byte{"p.go": []byte(r.Example)}})
		list := (diag.List)(nil)
		if !errors.As(err, &list) {
			t.Errorf("%s %s: no diagnostics: %v", r.Code, r.Title, err)
			continue
		}
		for _, d := range list {
			if d.Code != r.Code {
				t.Errorf("%s %s: got %v", r.Code, r.Title, d)
			}
		}
	}
}
