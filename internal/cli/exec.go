package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cilium/ebpf"

	"github.com/waggle-bpf/waggle/compile"
	"github.com/waggle-bpf/waggle/internal/cli/harness"
	"github.com/waggle-bpf/waggle/load"
)

// execCmd is waggle exec.
type execCmd struct {
	Dir  string   `arg:"" help:"Directory of a kernel package, or a Go file."`
	Func string   `arg:"" help:"Function of the package."`
	Args []string `arg:"" optional:"" help:"Its arguments. Integers and bools in Go syntax, byte arrays and slices as hexadecimal digits."`
}

// Help is the command's manual.
func (*execCmd) Help() string {
	return `The function is compiled, loaded and called once, in the kernel, and its results are printed one a line, as fmt's %v
would (but without calling String methods). Whatever follows the function's name is an argument, even if it begins with a
minus. Where Go would panic, the message is "fault: FILE:LINE: WHAT" and the exit code 3; so it is where loops run for more
than a quarter of a second, as far as the kernel (Linux 6.9) is needed to end them. Needs root.

  waggle exec ./calc Div -7 3
  waggle exec ./hash Sum 0a0b0c0d true`
}

// Run compiles, loads and calls.
func (c *execCmd) Run(e *env) error {
	h, pos, err := c.harness()
	if err != nil {
		return err
	}
	data, err := c.compileAndCall(e.ctx, h)
	if err != nil {
		return c.inFunction(err, pos)
	}
	values, returned, err := h.Values(data)
	if err != nil {
		return err
	}
	if !returned {
		return errors.New("call " + c.Func + ": the program ended before the call did")
	}
	for _, v := range values {
		fmt.Fprintln(e.stdout, v)
	}
	return nil
}

// compileAndCall compiles and calls, in the way that the kernel takes. The
// verifier gives up on most loops whose number of iterations depends on the
// arguments, unless the kernel is asked to end them; but then it knows less of
// what happens in them. Kernels before Linux 6.9 can't be asked.
func (c *execCmd) compileAndCall(ctx context.Context, h *harness.Harness) ([]byte, error) {
	var first error // of the code as it would be in any object
	for _, bound := range []compile.LoopBound{compile.BoundUncounted, compile.BoundNone, compile.BoundAll} {
		obj, err := compile.Compile(ctx, compile.Config{
			Dir: c.Dir, Files: map[string][]byte{harness.File: h.Source()}, Bound: bound,
		})
		switch {
		case err != nil:
			return nil, cmp.Or(first, err)
		case obj.Bounded == 0 && bound != compile.BoundNone:
			continue // no other code than without
		}
		data, err := c.call(obj.ELF, h)
		var refused *load.VerifierError
		if !errors.As(err, &refused) {
			return data, err
		}
		if bound == compile.BoundNone {
			first = err
		}
	}
	return nil, first
}

// inFunction lets an error tell of the function what is wrong with the call around
// it, which users don't see, and leaves out what this command does by itself.
func (c *execCmd) inFunction(err error, pos token.Position) error {
	var list compile.Diagnostics
	if errors.As(err, &list) {
		for _, d := range list {
			if filepath.Base(d.Pos.Filename) == harness.File {
				d.Pos, d.Message = pos, strings.ReplaceAll(d.Message, harness.Program, c.Func)
			}
		}
	}
	var refused *load.VerifierError
	if errors.As(err, &refused) {
		if filepath.Base(refused.Pos.File) == harness.File {
			refused.Pos.File, refused.Pos.Line = pos.Filename, pos.Line
		}
		refused.Hint, _, _ = strings.Cut(refused.Hint, "; or let the kernel end ")
	}
	return err
}

// harness finds the function and its position, and wraps the call.
func (c *execCmd) harness() (*harness.Harness, token.Position, error) {
	var none token.Position
	if !token.IsIdentifier(c.Func) {
		return nil, none, badInputf("find function: %q is no name of a function", c.Func)
	}
	if err := isPackage(c.Dir); err != nil {
		return nil, none, badInput(err)
	}
	fn, pos, err := compile.Lookup(c.Dir, c.Func)
	if err != nil {
		return nil, none, suggestFunction(err, c.Dir, c.Func)
	}
	h, err := harness.New(fn.Pkg().Name(), c.Func, fn.Signature(), c.Args)
	return h, pos, badInput(err)
}

// call loads the object, runs the harness's program and reads the results.
func (c *execCmd) call(elf []byte, h *harness.Harness) (_ []byte, err error) {
	obj, err := load.OpenBytes(harness.Program, elf)
	if err != nil {
		return nil, err
	}
	if len(h.Data()) > 0 {
		if err := setBytes(obj, harness.Args, h.Data()); err != nil {
			return nil, err
		}
	}
	// Only the call: the package's own programs may need kernels and rights
	// that it does not.
	handle, err := obj.Load(load.Options{Programs: []string{harness.Program}})
	if err != nil {
		return nil, atSource(err, c.Dir)
	}
	defer func() { err = errors.Join(err, handle.Close()) }()
	prog, err := handle.Program(harness.Program)
	if err != nil {
		return nil, err
	}
	if _, err := prog.Run(&ebpf.RunOptions{Data: make([]byte, minPacket)}); err != nil {
		return nil, fmt.Errorf("run program: %w", err)
	}
	if err := c.faults(handle); err != nil {
		return nil, err
	}
	return readBytes(handle, harness.Results, h.ResultSize())
}

// minPacket is the least that BPF_PROG_TEST_RUN takes for a packet: an
// Ethernet header. More lets it be any packet.
const minPacket = 64

// setBytes gives a variable its memory before load.
func setBytes(obj *load.Object, name string, data []byte) error {
	v := obj.Spec().Variables[name]
	if v == nil {
		return fmt.Errorf("set %s: no such variable in the object", name)
	}
	if err := v.Set(data); err != nil {
		return fmt.Errorf("set %s: %w", name, err)
	}
	return nil
}

// readBytes reads a variable's memory. The variable is found by its place in
// the data section's map, so that its type doesn't matter.
func readBytes(h *load.Handle, name string, size int) ([]byte, error) {
	v := h.Object().Spec().Variables[name]
	if v == nil {
		return nil, fmt.Errorf("read %s: no such variable in the object", name)
	}
	m, err := h.Map(v.SectionName)
	if err != nil {
		return nil, err
	}
	data := make([]byte, m.ValueSize())
	if err := m.Lookup(uint32(0), &data); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if end := int(v.Offset) + size; end > len(data) {
		return nil, fmt.Errorf("read %s: it ends at byte %d of %d", name, end, len(data))
	}
	return data[v.Offset:][:size], nil
}

// faults returns the faults counted so far as an error.
func (c *execCmd) faults(h *load.Handle) error {
	list, err := h.Faults()
	if err != nil || len(list) == 0 {
		return err
	}
	e := new(faultError)
	for _, f := range list {
		e.faults = append(e.faults, fmt.Sprintf("%s:%d: %s", sourceFile(c.Dir, f.Pos.File), f.Pos.Line, f.Kind))
	}
	return e
}

// isPackage reports as an error that there is no package, neither a directory with
// Go files nor a file.
func isPackage(path string) error {
	if _, err := os.Stat(path); err != nil {
		return fmt.Errorf("open package: %w", err)
	}
	if len(sourceFiles(path)) == 0 {
		return fmt.Errorf("open package %s: no Go files", path)
	}
	return nil
}

// sourceFiles are the Go files of a directory but its tests, or the file itself.
func sourceFiles(path string) []string {
	if filepath.Ext(path) == ".go" {
		return []string{path}
	}
	// The pattern is good, so there is no error.
	files, _ := filepath.Glob(filepath.Join(path, "*.go"))
	return slices.DeleteFunc(files, func(f string) bool { return strings.HasSuffix(f, "_test.go") })
}
