package cli

import (
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/waggle-bpf/waggle/compile"
	"github.com/waggle-bpf/waggle/internal/bindgen"
	"github.com/waggle-bpf/waggle/internal/suggest"
)

// buildCmd is waggle build.
type buildCmd struct {
	Dir       string `arg:"" help:"Directory of a kernel package, or a Go file."`
	Output    string `short:"o" placeholder:"FILE" help:"Where to write the object; by default the package's name and .o, or next to the bindings."`
	Go        string `placeholder:"FILE" help:"Write typed Go bindings that embed the object."`
	GoPackage string `placeholder:"NAME" env:"GOPACKAGE" help:"Package of the bindings; by default that of the Go files beside them."`
	Arch      string `placeholder:"ARCH" help:"Machine whose registers probes read: amd64 or arm64; by default this one."`
	Verbose   bool   `short:"v" help:"List programs, and the places where they may fault."`
	Dump      string `placeholder:"STAGE" help:"Print the intermediate code after a stage, or all."`
	Func      string `placeholder:"NAME" help:"Print that of one function only."`
	boundFlag
}

// Help is the command's manual.
func (*buildCmd) Help() string {
	return `The object is what libbpf and cilium/ebpf load. The bindings give each program, map, variable and constant of the
object a name and a type, those of the kernel package itself; with go:generate they stay up to date. Those of packages that
it imports are reached by their names in the object, with load.MapOf and load.VariableOf.

  waggle build ./kern -o kern.o -v
  //go:generate go run github.com/waggle-bpf/waggle/cmd/waggle build ./kern --go zkern.go
  waggle build ./kern --dump=all --func=Count

Probes read registers, so their object is for one machine, and so are the bindings. For both machines build twice:

  waggle build ./probe --arch amd64 --go zkern_amd64.go
  waggle build ./probe --arch arm64 --go zkern_arm64.go`
}

// Run compiles and writes.
func (c *buildCmd) Run(e *env) error {
	if err := c.complete(); err != nil {
		return err
	}
	start := time.Now()
	dump := &counter{w: e.stdout}
	obj, err := compilePackage(e, compile.Config{
		Dir: c.Dir, GOARCH: c.Arch, Dump: dump, DumpPass: c.Dump, DumpFunc: c.Func, Bound: bounds[c.Bound],
	})
	if err != nil {
		return err
	}
	took := time.Since(start)
	if c.Func != "" && dump.n == 0 {
		return c.noFunction()
	}
	if c.Output == "" {
		c.Output = obj.Package.Name() + ".o"
	}
	if err := os.WriteFile(c.Output, obj.ELF, 0o644); err != nil {
		return badInput(err)
	}
	if c.Go != "" {
		if err := c.bindings(obj); err != nil {
			return err
		}
	}
	if c.Verbose {
		c.describe(e, obj, took)
	}
	return nil
}

// complete checks what the flags mean together and fills in what follows.
func (c *buildCmd) complete() error {
	if stages := compile.Stages(); c.Dump != "" && c.Dump != "all" && !slices.Contains(stages, c.Dump) {
		return badInputf("dump stage %q: no such stage; there are all, %s", c.Dump, strings.Join(stages, ", "))
	}
	if arches := compile.Arches(); c.Arch != "" && !slices.Contains(arches, c.Arch) {
		return badInputf("compile for %q: there are %s", c.Arch, strings.Join(arches, ", "))
	}
	if c.Func != "" && c.Dump == "" {
		return badInputf("print function %s: name a stage with --dump, or all", c.Func)
	}
	if c.Go == "" {
		return nil
	}
	if c.Output == "" {
		c.Output = strings.TrimSuffix(c.Go, ".go") + ".o"
	}
	if filepath.Dir(c.Output) != filepath.Dir(c.Go) {
		return badInputf("write bindings %s: go:embed needs the object in the same directory, not at %s", c.Go, c.Output)
	}
	return nil
}

// counter counts what is written.
type counter struct {
	w io.Writer
	n int
}

func (c *counter) Write(p []byte) (int, error) {
	c.n += len(p)
	return c.w.Write(p)
}

// noFunction says that there was nothing to print of the function.
func (c *buildCmd) noFunction() error {
	hint := ""
	if best := suggest.Closest(c.Func, functions(c.Dir)); best != "" && best != c.Func {
		hint = "; did you mean " + best + "?"
	}
	return badInputf("print function %s: no program needs one of that name, or it is part of its callers after %s%s", c.Func, c.Dump, hint)
}

// bindings writes the Go file beside the object.
func (c *buildCmd) bindings(obj *compile.Object) error {
	in := &bindgen.Input{
		Package:    c.GoPackage,
		Kern:       obj.Package,
		ObjectFile: filepath.Base(c.Output),
		Arch:       obj.Arch,
	}
	dir := filepath.Dir(c.Go)
	if in.Package == "" {
		in.Package = packageBeside(dir, filepath.Base(c.Go))
	}
	if same, err := sameDir(dir, c.Dir); err != nil {
		return badInput(err)
	} else if same {
		in.Path, in.Package = obj.Package.Path(), obj.Package.Name()
	}
	for _, p := range obj.Programs {
		in.Programs = append(in.Programs, p.Name)
	}
	for _, m := range obj.Maps {
		in.Maps = append(in.Maps, bindgen.Map{Name: m.Name, Type: m.Type})
	}
	for _, v := range obj.Variables {
		if b := (bindgen.Variable{Name: v.Name, Type: v.Type}); v.Const {
			in.Consts = append(in.Consts, b)
		} else {
			in.Vars = append(in.Vars, b)
		}
	}
	text, err := bindgen.Generate(in)
	if err != nil {
		return badInput(err)
	}
	return badInput(os.WriteFile(c.Go, text, 0o644))
}

// packageBeside is the package of the Go files in dir, of which one may be about
// to be written anew; without any, it is named after the directory.
func packageBeside(dir, except string) string {
	for _, name := range sourceFiles(dir) {
		if filepath.Base(name) == except {
			continue
		}
		if f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.PackageClauseOnly); err == nil {
			return f.Name.Name
		}
	}
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return strings.Map(func(r rune) rune {
		if r == '_' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(filepath.Base(dir)))
}

func sameDir(a, b string) (bool, error) {
	sa, err := os.Stat(a)
	if err != nil {
		return false, err
	}
	sb, err := os.Stat(b)
	return err == nil && os.SameFile(sa, sb), err
}

// describe prints what -v promises.
func (c *buildCmd) describe(e *env, obj *compile.Object, took time.Duration) {
	fmt.Fprintf(e.stderr, "%s: %d bytes, compiled in %v\n", c.Output, len(obj.ELF), took.Round(time.Millisecond/10))
	for _, p := range obj.Programs {
		fmt.Fprintf(e.stderr, "program %s (%s): %d instructions\n", p.Name, strings.TrimSpace(p.Kind+" "+p.Target), p.Insns)
	}
	for _, f := range obj.Faults {
		fmt.Fprintf(e.stderr, "%v: may fault: %s\n", f.Pos, f.Kind)
	}
}
