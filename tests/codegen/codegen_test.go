// Package codegen checks the code that the compiler makes, line by line. The
// expectations stand beside the source, after the manner of test/codegen in the
// Go repository:
//
//	x := a + b // bpf: `\+= r` -`\*\(`     one regexp that must match an instruction
//	                                      of this line, one that none may match
//	y := f(x)  // bpf: 2`call`             exactly two instructions match
//
// A comment "// bpf-func: `re`" on the line of a func declaration applies to the
// text of the whole function, which is how the order of instructions is checked.
package codegen

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	backend "github.com/waggle-bpf/waggle/internal/compiler/codegen"
	"github.com/waggle-bpf/waggle/internal/compiler/ir"
	"github.com/waggle-bpf/waggle/internal/compiler/lower"
	"github.com/waggle-bpf/waggle/internal/compiler/mach"
	"github.com/waggle-bpf/waggle/internal/compiler/pass"
	"github.com/waggle-bpf/waggle/internal/compiler/source"
	"github.com/waggle-bpf/waggle/internal/compiler/subset"
)

func TestCodegen(t *testing.T) {
	files, err := filepath.Glob("testdata/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test programs: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".go"), func(t *testing.T) { checkFile(t, file) })
	}
}

func checkFile(t *testing.T, file string) {
	m, code := compileFile(t, file)
	lines := byLine(m, code)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for i, src := range strings.Split(string(text), "\n") {
		for _, w := range parseWants(t, src, i+1) {
			checked++
			have := lines[i+1]
			if w.whole {
				have = []string{functionAt(m, code, i+1)}
			}
			if msg := w.check(have); msg != "" {
				t.Errorf("%s:%d: %s\n%s", file, i+1, msg, strings.Join(have, "\n"))
			}
		}
	}
	if checked == 0 {
		t.Errorf("%s expects nothing", file)
	}
}

func compileFile(t *testing.T, file string) (*ir.Module, []*mach.Code) {
	t.Helper()
	pkg, err := source.Load(source.Config{Dir: file})
	if err != nil {
		t.Fatal(err)
	}
	if err := subset.Check(pkg).Err(); err != nil {
		t.Fatal(err)
	}
	m, err := lower.Module(pkg)
	if err != nil {
		t.Fatal(err)
	}
	if err := pass.Run(m, pass.Config{Check: true}); err != nil {
		t.Fatal(err)
	}
	code, err := backend.Module(m, backend.Config{Check: true})
	if err != nil {
		t.Fatal(err)
	}
	return m, code
}

// byLine groups the printed instructions by source line.
func byLine(m *ir.Module, code []*mach.Code) map[int][]string {
	lines := map[int][]string{}
	for _, c := range code {
		for i := range c.Insns {
			n := m.Fset.Position(c.Insns[i].Pos).Line
			lines[n] = append(lines[n], c.Insns[i].String())
		}
	}
	return lines
}

// functionAt returns the text of the function declared on a line.
func functionAt(m *ir.Module, code []*mach.Code, line int) string {
	for _, c := range code {
		if m.Fset.Position(c.Func.Pos).Line == line {
			return c.String()
		}
	}
	return ""
}

// want is one expectation.
type want struct {
	re    *regexp.Regexp
	count int // -1: at least one; 0: none
	whole bool
}

var (
	marker  = regexp.MustCompile("// bpf(-func)?:(.*)$")
	pattern = regexp.MustCompile("(-|[0-9]+)?`([^`]*)`")
)

func parseWants(t *testing.T, src string, line int) []want {
	m := marker.FindStringSubmatch(src)
	if m == nil {
		return nil
	}
	var out []want
	for _, p := range pattern.FindAllStringSubmatch(m[2], -1) {
		w := want{count: -1, whole: m[1] != ""}
		switch {
		case p[1] == "-":
			w.count = 0
		case p[1] != "":
			w.count, _ = strconv.Atoi(p[1])
		}
		re, err := regexp.Compile(p[2])
		if err != nil {
			t.Fatalf("line %d: %v", line, err)
		}
		w.re = re
		out = append(out, w)
	}
	if len(out) == 0 {
		t.Fatalf("line %d: marker without a pattern in backquotes", line)
	}
	return out
}

// check returns what is wrong with the instructions of a line, "" if nothing.
func (w want) check(have []string) string {
	n := 0
	for _, s := range have {
		if w.whole {
			n += len(w.re.FindAllString(s, -1))
		} else if w.re.MatchString(s) {
			n++
		}
	}
	switch {
	case w.count < 0 && n == 0:
		return fmt.Sprintf("no match for `%s` in:", w.re)
	case w.count >= 0 && n != w.count:
		return fmt.Sprintf("%d matches for `%s`, want %d, in:", n, w.re, w.count)
	}
	return ""
}
