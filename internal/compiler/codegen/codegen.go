// Package codegen turns optimised IR into machine code: selection, register
// allocation, layout.
package codegen

import (
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
	"github.com/waggle-bpf/waggle/internal/compiler/isel"
	"github.com/waggle-bpf/waggle/internal/compiler/mach"
	"github.com/waggle-bpf/waggle/internal/compiler/pass"
	"github.com/waggle-bpf/waggle/internal/compiler/regalloc"
)

// maxStack is what the kernel gives a program and the functions it calls
// (MAX_BPF_STACK in include/linux/filter.h).
const maxStack = 512

// Config controls the back end; see [pass.Config].
type Config struct {
	Check              bool
	Dump               io.Writer
	DumpPass, DumpFunc string
}

// StackError says that a program needs more stack than there is.
type StackError struct {
	Func *ir.Func
	// Size is what the chain of calls from Func needs, in bytes.
	Size int64
	// Largest are the variables of Func that take most of it.
	Largest []*ir.Slot
}

func (e *StackError) Error() string {
	var vars []string
	for _, s := range e.Largest {
		vars = append(vars, fmt.Sprintf("%s %d", s.Name, s.Size))
	}
	msg := fmt.Sprintf("%s needs %d bytes of stack, the kernel gives %d", e.Func.Name, e.Size, maxStack)
	if len(vars) > 0 {
		msg += " (largest: " + strings.Join(vars, ", ") + ")"
	}
	return msg
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
	for _, f := range m.Funcs {
		if total := chain(f, frames); f.Prog != nil && total > maxStack {
			return nil, &StackError{f, total, pass.LargestSlots(f, 3)}
		}
	}
	return out, nil
}

func function(f *ir.Func, c Config) (*mach.Code, int64, error) {
	size := pass.FrameSize(f)
	if size > maxStack {
		return nil, 0, &StackError{f, size, pass.LargestSlots(f, 3)}
	}
	mf := isel.Select(f, size)
	c.dump(f, "isel", mf)
	if err := c.check(mf); err != nil {
		return nil, 0, err
	}
	if _, err := regalloc.Allocate(mf); err != nil {
		return nil, 0, &StackError{f, mf.FrameSize, pass.LargestSlots(f, 3)}
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

// chain returns the stack that f and its deepest chain of callees take. The
// kernel rounds every frame up to 32 bytes.
func chain(f *ir.Func, frames map[*ir.Func]int64) int64 {
	deepest := int64(0)
	for _, b := range f.Blocks {
		for _, v := range b.Values {
			if v.Op == ir.OpCall {
				deepest = max(deepest, chain(v.Aux.(*ir.Func), frames))
			}
		}
	}
	return (frames[f]+31)&^31 + deepest
}
