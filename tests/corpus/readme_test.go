package corpus

import (
	"bytes"
	"fmt"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

const readmeHead = `# Sample programs

Each directory is one kernel package. Compile one with ` + "`waggle build tests/corpus/NAME`" + `; what is
tested of them is told in the package comment of this directory.

| package | hooks | what it does |
|---|---|---|
`

// programLine is a directive that makes a program.
var programLine = regexp.MustCompile(`(?m)^//bpf:((?:xdp|tc|socket|cgroup|sk_|sockops|tracepoint|raw_tracepoint|k|uprobe|uretprobe|perf_event)\S*)`)

// TestReadme writes the index with -update.
func TestReadme(t *testing.T) {
	var out bytes.Buffer
	out.WriteString(readmeHead)
	for _, e := range entries {
		synopsis, hooks := describe(t, e.dir)
		fmt.Fprintf(&out, "| [%s](%s) | %s | %s |\n", e.dir, e.dir, strings.Join(hooks, ", "), synopsis)
	}
	testkit.Golden(t, "README.md", out.Bytes())
}

// describe reads the first sentence about a package and the hooks of its programs.
func describe(t *testing.T, dir string) (synopsis string, hooks []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, dir+".go"), nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	synopsis = new(doc.Package).Synopsis(f.Doc.Text())
	synopsis = strings.TrimPrefix(synopsis, "Package "+f.Name.Name+" ")
	for _, group := range f.Comments {
		for _, c := range group.List {
			if m := programLine.FindStringSubmatch(c.Text); m != nil && !slices.Contains(hooks, m[1]) {
				hooks = append(hooks, m[1])
			}
		}
	}
	return synopsis, hooks
}
