package machtest

import (
	"fmt"
	"hash/fnv"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
	"github.com/waggle-bpf/waggle/internal/compiler/mach"
	"github.com/waggle-bpf/waggle/internal/compiler/mach/interp"
)

// Outcome is everything one can see of a run: two runs did the same exactly if
// their outcomes are equal.
type Outcome struct {
	R0     uint64
	Memory [Ctx]byte // what R1 pointed to, afterwards
	Calls  uint64    // hash of all calls and their arguments
	Err    string
}

const ctxBase = 0x10000

// Run interprets f, which may have virtual or physical registers.
func Run(f *mach.Func, ctx [Ctx]byte) (Outcome, int) {
	return run(ctx, func(m *interp.Machine) (uint64, error) { return m.Run(f, args...) })
}

// RunCode interprets c.
func RunCode(c *mach.Code, ctx [Ctx]byte) (Outcome, int) {
	return run(ctx, func(m *interp.Machine) (uint64, error) { return m.RunCode(c, args...) })
}

var args = []uint64{ctxBase, 11, 12, 13, 14}

// run also returns the number of instructions executed.
func run(ctx [Ctx]byte, do func(m *interp.Machine) (uint64, error)) (Outcome, int) {
	mem := interp.Region{Base: ctxBase, Bytes: ctx[:]}
	log := fnv.New64a()
	m := &interp.Machine{
		Memory: interp.Memory{Regions: []interp.Region{mem}},
		Symbol: func(sym any, add int64) (uint64, error) { return symbol(sym) + uint64(add), nil },
		Call: func(i *mach.Insn, a [5]uint64) (uint64, error) {
			fmt.Fprintln(log, i.Imm, i.Sym, a)
			return log.Sum64() % 4096, nil
		},
	}
	r0, err := do(m)
	out := Outcome{R0: r0, Memory: ctx, Calls: log.Sum64()}
	if err != nil {
		out.Err = err.Error()
	}
	return out, m.Steps()
}

// symbol makes an address from a name.
func symbol(sym any) uint64 {
	name := "?"
	switch s := sym.(type) {
	case *ir.Map:
		name = s.Name
	case *ir.Global:
		name = s.Name
	case *ir.Func:
		name = s.Name
	}
	h := fnv.New64a()
	h.Write([]byte(name))
	return h.Sum64()
}
