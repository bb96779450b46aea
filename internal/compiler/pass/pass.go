package pass

import (
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/waggle-bpf/waggle/internal/compiler/diag"
	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// Pass is one step of the pipeline. Exactly one of the functions is set.
type Pass struct {
	Name   string
	Func   func(*ir.Func)
	Module func(*ir.Module) error
}

// Pipeline is what every module goes through, in order.
var Pipeline = []Pass{
	{Name: "early clean", Func: clean},
	{Name: "inline", Module: inline},
	{Name: "slots", Func: promoteSlots}, // before everything that wants values instead of memory
	{Name: "offsets", Func: offsetPhis},
	{Name: "simplify", Func: optimize},
	{Name: "lengths", Func: comparePointers},
	{Name: "calls", Module: specializeCalls},
	{Name: "late slots", Func: promoteSlots}, // folding made addresses constant
	{Name: "memory", Func: forwardMemory},
	{Name: "late simplify", Func: optimize},
	{Name: "dead stores", Func: deadStores},
	{Name: "copies", Func: elideCopies},
	{Name: "late offsets", Func: offsetPhis},
	{Name: "packets", Module: checkPackets},
	{Name: "pointers", Module: checkPointers},
	{Name: "loops", Module: boundLoops},
	{Name: "guard", Module: guardAccesses},
	{Name: "legalize", Func: legalize},
	{Name: "alignment", Module: alignParams},
	{Name: "expand", Func: expandMemory},
	{Name: "last simplify", Func: optimizeLegal},
	{Name: "sink", Func: sinkLoads},
	{Name: "abi", Module: lowerCalls},
	{Name: "release", Func: releaseOnFault},
	{Name: "records", Func: testRecords},
	{Name: "faults", Module: expandFaults},
	{Name: "last dce", Func: lastClean},
	{Name: "spills", Module: hideSpills},
	{Name: "frame", Func: layoutFrame},
}

// order lists which pass must run before which, and why. The test of this
// package holds the pipeline to it.
var order = []struct{ before, after, why string }{
	{"inline", "slots", "arguments passed by address become promotable"},
	{"slots", "offsets", "pointers in variables become phis"},
	{"offsets", "late slots", "a variable whose address goes through a phi is not taken apart"},
	{"slots", "simplify", "folding works on values"},
	{"slots", "calls", "a result that is stored but never loaded is unused"},
	{"calls", "late simplify", "what only computes a dropped result is dead"},
	{"simplify", "lengths", "a length that a check still compares with an index must stay a number"},
	{"lengths", "late simplify", "checks become redundant"},
	{"simplify", "late slots", "an index must be constant before its slot is taken apart"},
	{"memory", "dead stores", "a forwarded load no longer keeps its store"},
	{"dead stores", "copies", "a clear in front of a copy is gone"},
	{"copies", "expand", "copies must still be one operation each"},
	{"expand", "sink", "copies have become loads and stores"},
	{"dead stores", "expand", "a cleared slot is one operation until it is expanded"},
	{"late offsets", "packets", "slices that nobody uses, and ways that nobody takes, are gone"},
	{"late slots", "pointers", "an array with constant indices only is taken apart"},
	{"packets", "abi", "what is returned through memory is not followed"},
	{"late simplify", "guard", "checks that are proven right are gone"},
	{"late simplify", "late offsets", "entering loops below their first test makes phis of pointers"},
	{"late offsets", "guard", "a sum of integers can be checked"},
	{"dead stores", "guard", "an access that goes needs no check"},
	{"late simplify", "loops", "what counts, and from where to where, must be plain"},
	{"late offsets", "loops", "a number can be hidden from the verifier, a pointer can't"},
	{"loops", "guard", "the verifier knows less of what changes in a bounded loop"},
	{"guard", "expand", "a copy is checked as a whole"},
	{"guard", "legalize", "its comparisons are narrow"},
	{"alignment", "expand", "accesses through a parameter are split as callers need it"},
	{"legalize", "expand", "expansion makes legal loads and stores only"},
	{"abi", "release", "a call that faulted leaves its caller too"},
	{"release", "records", "what is given back at faults is tested, too"},
	{"release", "faults", "the fault terminators must still be there"},
	{"last simplify", "spills", "a value negated twice must stay so"},
	{"abi", "spills", "parameters and arguments are final"},
	{"alignment", "spills", "it tells which parameters point into the stack"},
	{"abi", "frame", "out-parameters are slots"},
}

// Config controls a run of the pipeline.
type Config struct {
	// Check verifies the IR after every pass.
	Check bool
	// Dump receives the functions after the pass DumpPass ("all" for every
	// pass), of the function DumpFunc only if that is set.
	Dump               io.Writer
	DumpPass, DumpFunc string
}

// Run sends m through the pipeline. Functions go through a run of function
// passes side by side, because they share nothing that such a pass changes.
func Run(m *ir.Module, c Config) error {
	c.dump(m, "lower")
	for i := 0; i < len(Pipeline); {
		p := Pipeline[i]
		if p.Module != nil {
			if err := p.Module(m); err != nil {
				return err
			}
			if err := c.after(m, p); err != nil {
				return err
			}
			i++
			continue
		}
		n := i
		for n < len(Pipeline) && Pipeline[n].Module == nil {
			n++
		}
		if err := c.functions(m, Pipeline[i:n]); err != nil {
			return err
		}
		i = n
	}
	return nil
}

// functions applies function passes: pass by pass where somebody wants to look
// in between, else function by function.
func (c *Config) functions(m *ir.Module, passes []Pass) error {
	if c.Check || c.Dump != nil {
		for _, p := range passes {
			for _, f := range m.Funcs {
				if err := runPasses(f, p); err != nil {
					return err
				}
			}
			if err := c.after(m, p); err != nil {
				return err
			}
		}
		return nil
	}
	var wg sync.WaitGroup
	errs := make([]error, len(m.Funcs))
	for i, f := range m.Funcs {
		wg.Go(func() { errs[i] = runPasses(f, passes...) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// runPasses sends a function through passes; the error, if any, is a [diag.Bug].
func runPasses(f *ir.Func, passes ...Pass) (err error) {
	defer diag.Catch(&err, f.Position)
	for _, p := range passes {
		p.Func(f)
	}
	return nil
}

// after dumps and checks what a pass left.
func (c *Config) after(m *ir.Module, p Pass) error {
	c.dump(m, p.Name)
	if !c.Check {
		return nil
	}
	for _, f := range m.Funcs {
		if err := f.Check(); err != nil {
			return fmt.Errorf("BUG: after pass %s: %w", p.Name, err)
		}
	}
	return nil
}

// Names returns the names that DumpPass may have.
func Names() []string {
	names := []string{"lower"}
	for _, p := range Pipeline {
		names = append(names, p.Name)
	}
	return names
}

func (c *Config) dump(m *ir.Module, pass string) {
	if c.Dump == nil || c.DumpPass != "all" && !strings.EqualFold(c.DumpPass, pass) {
		return
	}
	for _, f := range m.Funcs {
		if c.DumpFunc == "" || c.DumpFunc == f.Name {
			fmt.Fprintf(c.Dump, "# after %s\n%s\n", pass, f)
		}
	}
}
