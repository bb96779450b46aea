package irtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
	"github.com/waggle-bpf/waggle/internal/compiler/ir/interp"
)

// faultMap is the hidden map that pass faults adds: what happens to its values is
// no business of the program.
const faultMap = "value waggle_faults"

// Run runs the program of m on input number n. With aligned it must access the
// stack as the verifier wants it.
func Run(m *ir.Module, n uint64, aligned bool) (*interp.Outcome, error) {
	r := rand.New(rand.NewPCG(n, 2))
	random := func(size int) []byte {
		out := make([]byte, size)
		for i := range out {
			if out[i] = byte(r.Uint32()); r.IntN(2) == 0 {
				out[i] = byte(r.IntN(4))
			}
		}
		return out
	}
	machine := interp.Machine{
		Context: random(ContextSize), Packet: random(r.IntN(24)), DataField: DataField, EndField: EndField,
		Seed: n, Aligned: aligned,
	}
	for _, f := range m.Funcs {
		if f.Prog != nil {
			return machine.Run(f)
		}
	}
	return nil, fmt.Errorf("no program")
}

// Diff tells how two outcomes differ; empty if they don't. A fault may have become
// code: then the verdict is the result.
func Diff(want, got *interp.Outcome, verdict int64) string {
	var out []string
	differ := func(what string, a, b any) {
		out = append(out, fmt.Sprintf("%s: want %v, got %v", what, a, b))
	}
	switch {
	case want.Fault != nil && got.Fault != nil:
		if *want.Fault != *got.Fault {
			differ("fault", *want.Fault, *got.Fault)
		}
	case want.Fault != nil:
		if len(got.Results) != 1 || got.Results[0] != uint64(verdict) {
			differ("fault verdict", verdict, got.Results)
		}
	case got.Fault != nil:
		differ("fault", want.Results, *got.Fault)
	case !slices.Equal(want.Results, got.Results):
		differ("results", want.Results, got.Results)
	}
	for i := range max(len(want.Trace), len(got.Trace)) {
		if a, b := at(want.Trace, i), at(got.Trace, i); a != b {
			differ(fmt.Sprint("call ", i), a, b)
			break
		}
	}
	for _, name := range names(want, got) {
		if a, b := want.Memory[name], got.Memory[name]; string(a) != string(b) {
			differ(name, fmt.Sprintf("%x", a), fmt.Sprintf("%x", b))
		}
	}
	return strings.Join(out, "\n")
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return "no call"
}

func names(outcomes ...*interp.Outcome) []string {
	var out []string
	for _, o := range outcomes {
		for name := range o.Memory {
			if !strings.HasPrefix(name, faultMap) {
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Clone copies a module by way of its text.
func Clone(m *ir.Module) (*ir.Module, error) {
	c, err := ir.Parse(m.String())
	if err != nil {
		return nil, err
	}
	for i, g := range m.Globals {
		c.Globals[i].Init = g.Init
	}
	c.Faults = slices.Clone(m.Faults)
	return c, nil
}
