package source

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// module is the Go module around the package, as far as loading needs it.
type module struct {
	root, path, goVersion string
}

// findModule looks for go.mod from dir upward; nil if there is none.
func findModule(dir string) (*module, error) {
	if dir == "" {
		return nil, nil
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", dir, err)
	}
	for {
		src, err := os.ReadFile(filepath.Join(abs, "go.mod"))
		if err == nil {
			return parseModule(abs, string(src)), nil
		}
		parent := filepath.Dir(abs)
		if parent == abs {
			return nil, nil
		}
		abs = parent
	}
}

// parseModule reads the two lines of a go.mod that matter here. Whoever breaks
// the file learns it from the go command.
func parseModule(root, src string) *module {
	m := &module{root: root, goVersion: "go1.16"} // what Go assumes
	for line := range strings.Lines(src) {
		line, _, _ = strings.Cut(line, "//")
		switch f := strings.Fields(line); {
		case len(f) == 2 && f[0] == "module":
			m.path = strings.Trim(f[1], "\"`")
		case len(f) == 2 && f[0] == "go":
			m.goVersion = "go" + f[1]
		}
	}
	return m
}

// goVersionOr returns the module's language version.
func (m *module) goVersionOr(otherwise string) string {
	if m == nil || m.goVersion == "" {
		return otherwise
	}
	return m.goVersion
}

// pathOf returns the import path of a directory; "" outside the module.
func (m *module) pathOf(dir string) string {
	if m == nil || m.path == "" {
		return ""
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return ""
	}
	rel, err := filepath.Rel(m.root, abs)
	if err != nil {
		return ""
	}
	if rel == "." {
		return m.path
	}
	return m.path + "/" + filepath.ToSlash(rel)
}

// dirOf returns the directory of a package of the module itself; "" if path is
// not below the module's.
func (m *module) dirOf(path string) string {
	if m == nil || m.path == "" {
		return ""
	}
	if path == m.path {
		return m.root
	}
	if rel, ok := strings.CutPrefix(path, m.path+"/"); ok {
		return filepath.Join(m.root, filepath.FromSlash(rel))
	}
	return ""
}

// findDir returns the directory of any other package, which takes a Go toolchain.
func (m *module) findDir(path string) (string, error) {
	if m == nil {
		return "", fmt.Errorf("find package %s: there is no go.mod", path)
	}
	goTool, err := exec.LookPath("go")
	if err != nil {
		return "", fmt.Errorf("find package %s of another module: %w", path, err)
	}
	cmd := exec.Command(goTool, "list", "-find", "-f", "{{.Dir}}", "--", path)
	cmd.Dir = m.root
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("find package %s: go list: %w", path, withStderr(err))
	}
	return strings.TrimSpace(string(out)), nil
}

// withStderr adds the first line that a failed command printed.
func withStderr(err error) error {
	exit, ok := err.(*exec.ExitError)
	if !ok || len(exit.Stderr) == 0 {
		return err
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(exit.Stderr)), "\n")
	line, _, _ = strings.Cut(line, "; to add it")
	return fmt.Errorf("%w: %s", err, line)
}
