package lint

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

func TestPackageDocs(t *testing.T) {
	for _, p := range packages(t) {
		switch {
		case p.Doc == "" && len(p.GoFiles) > 0:
			t.Errorf("%s: no package comment", p.dir())
		case p.Doc != "" && p.Name != "main" && !strings.HasPrefix(p.Doc, "Package "+p.Name+" "):
			t.Errorf("%s: the package comment begins %q, not %q", p.dir(), p.Doc, "Package "+p.Name)
		}
	}
}

// maxLines is how long a file may be: beyond that it holds more than one concept.
const maxLines = 500

func TestFileLength(t *testing.T) {
	for _, name := range files(t) {
		base := filepath.Base(name)
		if filepath.Ext(base) != ".go" || strings.HasSuffix(base, "_test.go") || strings.HasPrefix(base, "z") || inTestdata(name) {
			continue
		}
		if n := bytes.Count(read(t, name), []byte("\n")); n > maxLines {
			t.Errorf("%s has %d lines; more than %d hold more than one concept", name, n, maxLines)
		}
	}
}

func inTestdata(name string) bool { return slices.Contains(strings.Split(name, "/"), "testdata") }

// forbidden is text that belongs to a machine or a moment, not to the project.
var forbidden = []struct {
	pattern *regexp.Regexp
	why     string
}{
	// Split, so that this file doesn't break its own rule.
	{regexp.MustCompile(`/work` + `/(main|shared)\b`), "a path of the machine it was written on"},
	{regexp.MustCompile(`/root` + `/`), "somebody's home directory"},
	{regexp.MustCompile(`(?i)\bissue` + ` #?\d`), "a number that means nothing without its tracker"},
	{regexp.MustCompile(`\bXXX` + `\b|\bFIXME` + `\b`), "unfinished work; finish it or describe the limit"},
}

func TestForbiddenText(t *testing.T) {
	for _, name := range files(t) {
		text := read(t, name)
		if bytes.IndexByte(text, 0) >= 0 {
			continue // not text; objects are checked for paths by the compiler's tests
		}
		for i, line := range bytes.Split(text, []byte("\n")) {
			for _, f := range forbidden {
				if f.pattern.Match(line) {
					t.Errorf("%s:%d: %s: %s", name, i+1, f.why, f.pattern.Find(line))
				}
			}
		}
	}
}

// TestLinuxSuffix: the suffix _linux is an implicit build constraint, so tables
// that every system can read must not have it.
func TestLinuxSuffix(t *testing.T) {
	for _, name := range files(t) {
		if strings.HasSuffix(name, "_linux.go") && slices.Contains([]string{"internal/abi", "internal/compiler"}, parent(name, 2)) {
			t.Errorf("%s builds on Linux only", name)
		}
	}
}

// parent is the first n elements of a path.
func parent(name string, n int) string {
	parts := strings.Split(name, "/")
	return strings.Join(parts[:min(n, len(parts))], "/")
}

// TestErrorTexts: the shape is `verb object: cause`, lower case. "failed to" says
// nothing that being an error doesn't.
func TestErrorTexts(t *testing.T) {
	eachGoFile(t, func(fset *token.FileSet, f *ast.File) {
		ast.Inspect(f, func(n ast.Node) bool {
			text, pos, ok := errorText(n)
			if ok {
				if complaint := complain(text); complaint != "" {
					t.Errorf("%s: error text %q %s", fset.Position(pos), text, complaint)
				}
			}
			return true
		})
	})
}

func complain(text string) string {
	lower := strings.ToLower(text)
	for _, p := range []string{"failed to", "unable to", "error ", "could not", "couldn't"} {
		if strings.HasPrefix(lower, p) {
			return fmt.Sprintf("begins %q; say what was done: verb object: cause", p)
		}
	}
	if strings.HasSuffix(text, ".") || strings.HasSuffix(text, "\n") {
		return "ends in a full stop or a new line"
	}
	first, rest, _ := strings.Cut(text, " ")
	if r := []rune(first); len(r) > 1 && rest != "" && unicode.IsUpper(r[0]) && strings.ToLower(string(r[1:])) == string(r[1:]) && !strings.Contains(first, "_") {
		return "begins with a capital"
	}
	return ""
}

// errorText finds the text in errors.New("...") and fmt.Errorf("...").
func errorText(n ast.Node) (text string, pos token.Pos, ok bool) {
	call, ok := n.(*ast.CallExpr)
	if !ok || len(call.Args) == 0 {
		return "", 0, false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return "", 0, false
	}
	pkg, ok := sel.X.(*ast.Ident)
	if !ok || pkg.Name+"."+sel.Sel.Name != "errors.New" && pkg.Name+"."+sel.Sel.Name != "fmt.Errorf" {
		return "", 0, false
	}
	lit, ok := call.Args[0].(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", 0, false
	}
	text, err := strconv.Unquote(lit.Value)
	return text, lit.Pos(), err == nil
}

// TestNoInit: packages don't do anything by being imported. An init that only
// breaks an initialization cycle between a table and its functions says so.
func TestNoInit(t *testing.T) {
	eachGoFile(t, func(fset *token.FileSet, f *ast.File) {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" && !strings.Contains(fn.Doc.Text(), "initialization cycle") {
				t.Errorf("%s: init function", fset.Position(fn.Pos()))
			}
		}
	})
}

// TestExportedDocs: every exported function, method, type and lone value
// has a comment; test programs, which are exported for the harness alone, need none.
func TestExportedDocs(t *testing.T) {
	eachGoFile(t, func(fset *token.FileSet, f *ast.File) {
		if name := fset.Position(f.Pos()).Filename; below(name, "tests") || below(name, "bench") {
			return
		}
		for _, d := range f.Decls {
			for _, name := range undocumented(d) {
				t.Errorf("%s: exported %s has no comment", fset.Position(d.Pos()), name)
			}
		}
	})
}

func undocumented(d ast.Decl) (names []string) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Doc == nil && d.Name.IsExported() && exportedReceiver(d) && !selfEvident[d.Name.Name] {
			names = append(names, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && s.Doc == nil && s.Comment == nil && d.Doc == nil {
					names = append(names, s.Name.Name)
				}
			case *ast.ValueSpec:
				// A comment above a group explains the group.
				if s.Names[0].IsExported() && s.Doc == nil && s.Comment == nil && d.Doc == nil {
					names = append(names, s.Names[0].Name)
				}
			}
		}
	}
	return names
}

// selfEvident are methods whose meaning their interface gives.
var selfEvident = map[string]bool{
	"Error": true, "String": true, "Unwrap": true, "Is": true, "Format": true, "Close": true,
	"Len": true, "Less": true, "Swap": true, "Write": true, "Read": true, "WriteTo": true,
	"MarshalJSON": true, "MarshalText": true, "UnmarshalText": true, "Push": true, "Pop": true,
}

func exportedReceiver(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	for {
		switch x := typ.(type) {
		case *ast.StarExpr:
			typ = x.X
		case *ast.IndexExpr:
			typ = x.X
		case *ast.IndexListExpr:
			typ = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return true
		}
	}
}

// eachGoFile parses the hand-written, non-test Go files.
func eachGoFile(t *testing.T, f func(*token.FileSet, *ast.File)) {
	t.Helper()
	for _, name := range files(t) {
		if filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") || inTestdata(name) || strings.HasPrefix(filepath.Base(name), "z") {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, read(t, name), parser.ParseComments)
		if err != nil {
			t.Error(err)
			continue
		}
		if !ast.IsGenerated(file) {
			f(fset, file)
		}
	}
}

// TestKernelTestsAreWatched: tests that can put something into the kernel run in
// testkit.Main, which isolates them and finds what they leave behind.
func TestKernelTestsAreWatched(t *testing.T) {
	for _, p := range packages(t) {
		imports := slices.Concat(p.TestImports, p.XTestImports)
		touches := slices.ContainsFunc(imports, func(imp string) bool {
			return imp == "github.com/cilium/ebpf" || imp == "github.com/cilium/ebpf/link" || imp == module+"/load"
		})
		if !touches || below(p.dir(), "internal/testkit") {
			continue
		}
		watched := false
		for _, name := range slices.Concat(p.TestGoFiles, p.XTestGoFiles) {
			text := read(t, filepath.Join(p.dir(), name))
			watched = watched || bytes.Contains(text, []byte("testkit.Main(")) ||
				bytes.Contains(text, []byte("testkit.Run(")) || bytes.Contains(text, []byte("command.Main("))
		}
		if !watched {
			t.Errorf("%s: its tests use the kernel but no TestMain hands them to testkit.Main", p.dir())
		}
	}
}

// skips are the test files that may skip by themselves, and why the skip hides
// nothing. All others leave it to testkit, which fails in CI where there is no
// good reason.
var skips = map[string]string{
	"load/attach_linux_test.go":                  "a machine of package vm has no C library to probe",
	"internal/compiler/source/directive_test.go": "a fuzzer's input, not a test",
	"tests/wake/real_test.go":                    "a Docker daemon is asked of nobody",
	"internal/compiler/object/kinds_test.go":     "sections that only newer versions of libbpf know",
}

var skipCall = regexp.MustCompile(`\b(t|tb|b|f)\.Skip(f|Now)?\(`)

func TestSkips(t *testing.T) {
	for _, name := range files(t) {
		if !strings.HasSuffix(name, "_test.go") || skips[name] != "" || below(name, "internal/testkit") || inTestdata(name) {
			continue
		}
		for i, line := range bytes.Split(read(t, name), []byte("\n")) {
			if skipCall.Match(line) && !bytes.Contains(line, []byte("regexp.")) {
				t.Errorf("%s:%d: skips; use testkit.Need, RequireRoot or RequireTool, or give the reason in the table of skips", name, i+1)
			}
		}
	}
}

var (
	markdownCode = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
	markdownLink = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
)

// TestLinks: what documents link to in the tree is there.
func TestLinks(t *testing.T) {
	for _, name := range files(t) {
		if filepath.Ext(name) != ".md" || inTestdata(name) {
			continue
		}
		for _, m := range markdownLink.FindAllSubmatch(markdownCode.ReplaceAll(read(t, name), nil), -1) {
			target := filepath.Join(root, filepath.Dir(name), string(m[1]))
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which isn't there", name, m[1])
			}
		}
	}
}
