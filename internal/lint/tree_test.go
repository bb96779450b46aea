package lint

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/waggle-bpf/waggle"

// pkg is what `go list` tells about one of our packages.
type pkg struct {
	ImportPath, Dir, Name, Doc string
	GoFiles                    []string
	IgnoredGoFiles             []string
	TestGoFiles, XTestGoFiles  []string
	Imports                    []string
	TestImports, XTestImports  []string
}

// dir is the package's directory below the root.
func (p *pkg) dir() string {
	dir, _ := ourDir(p.ImportPath)
	return dir
}

// ourDir turns an import path of ours into a directory below the root, "." for
// the root itself.
func ourDir(path string) (dir string, ours bool) {
	if path == module {
		return ".", true
	}
	return strings.CutPrefix(path, module+"/")
}

const root = "../.."

var listPackages = sync.OnceValues(func() ([]*pkg, error) {
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Name,Doc,GoFiles,IgnoredGoFiles,TestGoFiles,XTestGoFiles,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = root
	cmd.Stderr = os.Stderr
	// Files that only build on Linux count wherever the test runs.
	cmd.Env = append(os.Environ(), "GOOS=linux", "CGO_ENABLED=0")
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var list []*pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		p := new(pkg)
		if err := d.Decode(p); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
})

func packages(t *testing.T) []*pkg {
	t.Helper()
	list, err := listPackages()
	if err != nil {
		t.Fatalf("list packages: %v", err)
	}
	if len(list) < 10 {
		t.Fatalf("listed only %d packages", len(list))
	}
	return list
}

// files are the files git tracks or would, below the root.
func files(t *testing.T) []string {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("list files: %v", err)
	}
	var list []string
	for _, name := range strings.Fields(string(out)) {
		if st, err := os.Stat(filepath.Join(root, name)); err == nil && st.Mode().IsRegular() {
			list = append(list, name)
		}
	}
	if len(list) < 10 {
		t.Fatalf("listed only %d files", len(list))
	}
	return list
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}
