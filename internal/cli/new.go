package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/waggle-bpf/waggle/internal/cli/scaffold"
)

// newCmd is waggle new.
type newCmd struct {
	Name string `arg:"" help:"Directory to make; its last element is the project's name."`
	Kind string `default:"xdp" placeholder:"KIND" help:"Kind of program: xdp, tc, cgroup_skb, tracepoint, uprobe or sockops."`
}

// Help is the command's manual.
func (*newCmd) Help() string {
	return `The directory gets a kernel package, its test, a loader and the bindings between them, ready to build and run. Outside a
Go module it becomes one.

  waggle new hits --kind xdp
  cd hits && go mod tidy
  go test ./... && go build && sudo ./hits -i eth0`
}

// reserved are the first elements of the standard library's import paths, and what else
// the go command means by such names: a module of that name can't be imported, or not
// built.
var reserved = strings.Fields(`
	all archive arena bufio builtin bytes cmd cmp compress container context crypto database debug embed encoding errors expvar
	flag fmt go hash html image index internal io iter log main maps math mime net os path plugin reflect regexp runtime
	simd slices sort std strconv strings structs sync syscall testdata testing text time tool unicode unique unsafe vendor weak work`)

// device is a file name that stands for a device on Windows, wherever it is; modules
// may not have such names.
var device = regexp.MustCompile(`(?i)^(con|prn|aux|nul|(com|lpt)[0-9])$`)

func taken(name string) bool { return slices.Contains(reserved, name) || device.MatchString(name) }

var projectName = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_-]*$`)

// Run writes the files and compiles the kernel package; if that goes wrong
// nothing stays.
func (c *newCmd) Run(e *env) (err error) {
	name := filepath.Base(filepath.Clean(c.Name))
	if !projectName.MatchString(name) {
		return badInputf("make project %q: a name has letters, digits, - and _, and begins with a letter", c.Name)
	}
	if taken(name) {
		return badInputf("make project %q: the name is taken, by a package of Go's own or by Windows", c.Name)
	}
	files, err := scaffold.Files(name, c.Kind)
	if err != nil {
		return badInput(err)
	}
	if entries, err := os.ReadDir(c.Name); err == nil && len(entries) > 0 {
		return badInputf("make project %s: the directory is not empty", c.Name)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return badInput(fmt.Errorf("make project: %w", err))
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(c.Name))
		}
	}()
	next := nextInModule
	if !insideModule(c.Name) {
		files["go.mod"] = moduleFile(name)
		next = "cd " + c.Name + " && go mod tidy"
	}
	for _, path := range slices.Sorted(maps.Keys(files)) {
		if err := write(filepath.Join(c.Name, path), files[path]); err != nil {
			return badInput(fmt.Errorf("make project: %w", err))
		}
	}
	build := &buildCmd{Dir: filepath.Join(c.Name, "kern"), Go: filepath.Join(c.Name, "zkern.go"), GoPackage: "main"}
	if err := build.Run(e); err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "made %s: kern/ is the kernel half, main.go the loader; go generate compiles kern/ anew\n", c.Name)
	fmt.Fprintln(e.stdout, "next: "+next)
	return nil
}

// nextInModule is what a module that has not used waggle yet needs.
const nextInModule = "go get -tool " + command + " if this module does not have it yet"

func write(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

// insideModule tells whether a directory, existing or not, lies in a Go module.
func insideModule(dir string) bool {
	abs, err := filepath.Abs(dir)
	for ; err == nil; abs = filepath.Dir(abs) {
		if _, err := os.Stat(filepath.Join(abs, "go.mod")); err == nil {
			return true
		}
		if abs == filepath.Dir(abs) {
			break
		}
	}
	return false
}

const (
	modulePath = "github.com/waggle-bpf/waggle"
	command    = modulePath + "/cmd/waggle"
)

// moduleFile is the go.mod of a project; it asks for the waggle that wrote it: the
// tree that it was built from, or its version if that is one that can be had. As a
// tool, so that go generate finds what the command needs.
func moduleFile(name string) []byte {
	text := "module " + name + "\n\ngo 1.26\n\ntool " + command + "\n"
	if tree := sourceTree(); tree != "" {
		text += "\nrequire " + modulePath + " v0.0.0\n\nreplace " + modulePath + " => " + tree + "\n"
		return []byte(text)
	}
	info, ok := debug.ReadBuildInfo()
	if ok && info.Main.Path == modulePath && strings.HasPrefix(info.Main.Version, "v") && !strings.Contains(info.Main.Version, "+") {
		text += "\nrequire " + modulePath + " " + info.Main.Version + "\n"
	}
	return []byte(text)
}

// sourceTree is the clone of waggle's repository that this binary was built from;
// empty if it is not there or is the module cache's.
func sourceTree() string {
	_, file, _, ok := runtime.Caller(0)
	tree, below := strings.CutSuffix(file, "/internal/cli/new.go")
	if !ok || !below || strings.Contains(filepath.Base(tree), "@") || strings.ContainsAny(tree, " \t\"'`") {
		return ""
	}
	data, err := os.ReadFile(filepath.Join(tree, "go.mod"))
	if err != nil || !strings.HasPrefix(string(data), "module "+modulePath+"\n") {
		return ""
	}
	return tree
}
