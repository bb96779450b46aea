// Package codegen turns optimised IR into machine code: selection, register
// allocation, layout.
package codegen

import (
	"fmt"
	"io"
	"sync"

	"github.com/waggle-bpf/waggle/internal/compiler/diag"
	"github.com/waggle-bpf/waggle/internal/compiler/ir"
	"github.com/waggle-bpf/waggle/internal/compiler/isel"
	"github.com/waggle-bpf/waggle/internal/compiler/mach"
	"github.com/waggle-bpf/waggle/internal/compiler/pass"
	"github.com/waggle-bpf/waggle/internal/compiler/regalloc"
)

// Config controls the back end; see [pass.Config].
type Config struct {
	Check              bool
	Dump               io.Writer
	DumpPass, DumpFunc string
}

// Module generates the code of every function of m, side by side unless the
// stages are dumped.
func Module(m *ir.Module, c Config) ([]*mach.Code, error) {
	out := make([]*mach.Code, len(m.Funcs))
	sizes := make([]int64, len(m.Funcs))
	errs := make([]error, len(m.Funcs))
	var wg sync.WaitGroup
	for i, f := range m.Funcs {
		generate := func() { out[i], sizes[i], errs[i] = function(f, c) }
		if c.Dump != nil {
			generate()
		} else {
			wg.Go(generate)
		}
	}
	wg.Wait()
	frames := map[*ir.Func]int64{}
	for i, f := range m.Funcs {
		if errs[i] != nil {
			return nil, errs[i]
		}
		frames[f] = sizes[i]
	}
	return out, checkStack(m, frames)
}

func function(f *ir.Func, c Config) (_ *mach.Code, _ int64, err error) {
	defer diag.Catch(&err, f.Position)
	size := pass.FrameSize(f)
	if size > maxStack {
		return nil, 0, newStackError(f, size)
	}
	mf := isel.Select(f, size)
	c.dump(f, "isel", mf)
	if err := c.check(mf); err != nil {
		return nil, 0, err
	}
	if _, err := regalloc.Allocate(mf); err != nil {
		return nil, 0, newStackError(f, mf.FrameSize)
	}
	c.dump(f, "regalloc", mf)
	if err := c.check(mf); err != nil {
		return nil, 0, err
	}
	code, err := mf.Layout()
	if err != nil {
		return nil, 0, fmt.Errorf("lay out %s: %w", f.Name, err)
	}
	c.dump(f, "layout", code)
	return code, mf.FrameSize, nil
}

func (c *Config) check(f *mach.Func) error {
	if !c.Check {
		return nil
	}
	if err := f.Check(); err != nil {
		return fmt.Errorf("BUG: %s: %w", f.IR.Name, err)
	}
	return nil
}

func (c *Config) dump(f *ir.Func, stage string, text fmt.Stringer) {
	if c.Dump == nil || c.DumpPass != "all" && c.DumpPass != stage || c.DumpFunc != "" && c.DumpFunc != f.Name {
		return
	}
	fmt.Fprintf(c.Dump, "# after %s\n%s\n", stage, text)
}

// Stages returns the names that DumpPass may have here.
func Stages() []string { return []string{"isel", "regalloc", "layout"} }
