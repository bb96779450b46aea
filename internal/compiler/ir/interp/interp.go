// Package interp runs IR. It is the oracle for tests of passes: a function must
// do the same before and after. What a run does is its [Outcome]: results or
// fault, the calls of helpers in order, and the memory that others see.
//
// It is stricter than any machine: reading a stack byte that nobody wrote,
// touching memory outside of every object, dividing by zero and shifting a narrow
// value by its width are errors, because a pass that makes a program do such a
// thing is wrong even if the result happens to be right.
package interp

import (
	"errors"
	"fmt"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// Machine is what programs run on. Two machines with the same public fields behave
// the same; a machine serves one run.
type Machine struct {
	// Context is what the program's parameter points to.
	Context []byte
	// Packet is what lies between the pointers that ctxptr reads from the
	// fields DataField and EndField of the context.
	Packet              []byte
	DataField, EndField int64
	// Seed decides what memory holds at first and what helpers answer.
	Seed uint64
	// Fuel bounds the number of operations; 0 means a million.
	Fuel int
	// Aligned makes accesses to the stack that are not aligned to their
	// width errors.
	Aligned bool

	memory
	module  *ir.Module
	trace   []string
	faulted *ir.FaultSite
	held    map[uint64]string // references by address
	steps   int
}

// Outcome is what a run did as far as anybody can tell.
type Outcome struct {
	Results []uint64
	// Fault is nil if the program returned.
	Fault *ir.FaultSite
	// Trace lists the calls of helpers that are not pure.
	Trace []string
	// Memory holds globals, map values, packet and context by name.
	Memory map[string][]byte
	// Held lists the references and locks that were never given back.
	Held []string
}

// ErrFuel is returned by a run that takes longer than Fuel.
var ErrFuel = errors.New("out of fuel")

// errDone unwinds from a tail call that succeeded, errFault from a fault below
// a call that is not in machine form.
var (
	errDone  = errors.New("done")
	errFault = errors.New("fault")
)

// Run runs program f. The error is about something that must not happen.
func (m *Machine) Run(f *ir.Func) (*Outcome, error) {
	m.module = f.Module
	m.start()
	args := []uint64{m.object("context", m.Context, false).base}
	results, err := m.call(f, args[:len(f.Params)], 0)
	switch {
	case errors.Is(err, errDone), errors.Is(err, errFault):
		results = nil
	case err != nil:
		return nil, fmt.Errorf("run %s: %w", f.Name, err)
	}
	out := &Outcome{Results: results, Fault: m.faulted, Trace: m.trace, Memory: m.shared()}
	if out.Fault != nil {
		out.Results = nil
	}
	for _, what := range m.held {
		out.Held = append(out.Held, what)
	}
	return out, nil
}

// maxDepth is how many frames the kernel allows (MAX_CALL_FRAMES).
const maxDepth = 8

// frame is one call of a function.
type frame struct {
	f     *ir.Func
	args  []uint64
	vals  []uint64   // by value ID, cut to the width of the type
	multi [][]uint64 // results of calls that have several, by value ID
	slots map[*ir.Slot]uint64
	depth int
}

func (m *Machine) call(f *ir.Func, args []uint64, depth int) ([]uint64, error) {
	if depth >= maxDepth {
		return nil, errors.New("too many frames")
	}
	fr := &frame{
		f: f, args: args, depth: depth, slots: map[*ir.Slot]uint64{},
		vals: make([]uint64, f.NumValues()), multi: make([][]uint64, f.NumValues()),
	}
	frame := m.layout(f, fr)
	defer func() {
		for _, o := range frame {
			m.free(o)
		}
	}()
	return m.blocks(fr)
}

// layout gives the slots of f memory: each its own until pass frame has chosen
// places, which slots may share.
func (m *Machine) layout(f *ir.Func, fr *frame) []*object {
	size := int64(0)
	for _, s := range f.Slots {
		size = max(size, -s.Offset)
	}
	stack, known := make([]byte, size), make([]bool, size)
	var frame []*object
	for _, s := range f.Slots {
		o := m.object("stack", make([]byte, s.Size), true)
		if at := size + s.Offset; s.Offset != 0 {
			o.bytes, o.known = stack[at:at+s.Size], known[at:at+s.Size]
		}
		fr.slots[s] = o.base
		frame = append(frame, o)
	}
	return frame
}

// blocks runs a function's blocks from the entry on.
func (m *Machine) blocks(fr *frame) ([]uint64, error) {
	b, from := fr.f.Entry(), -1
	for {
		if err := m.block(fr, b, from); err != nil {
			return nil, err
		}
		var k int
		switch b.Term {
		case ir.TermRet:
			var out []uint64
			for _, r := range b.Rets {
				out = append(out, fr.vals[r.ID])
			}
			return out, nil
		case ir.TermFault:
			return m.fault(b)
		case ir.TermIf:
			if fr.vals[b.Control.ID] == 0 {
				k = 1
			}
		}
		b, from = b.Succs[k], edgeIndex(b, k)
	}
}

// edgeIndex returns which predecessor of its target the k-th edge of b is.
func edgeIndex(b *ir.Block, k int) int {
	target, skip := b.Succs[k], 0
	if k == 1 && b.Succs[0] == target {
		skip = 1
	}
	for i, p := range target.Preds {
		if p == b {
			if skip == 0 {
				return i
			}
			skip--
		}
	}
	panic("BUG: edge without predecessor entry")
}

// fault leaves a function: one that was called in machine form tells its caller,
// which has code for it.
func (m *Machine) fault(b *ir.Block) ([]uint64, error) {
	if b.Fault != ir.FaultPropagated {
		m.faulted = &m.module.Faults[b.Fault]
	}
	if b.Func.Prog == nil && m.lowered(b.Func) {
		return []uint64{1}, nil
	}
	return nil, errFault
}

// lowered reports whether the calls of f are in machine form.
func (m *Machine) lowered(f *ir.Func) bool {
	for _, g := range m.module.Funcs {
		for _, b := range g.Blocks {
			for _, v := range b.Values {
				if v.Op == ir.OpCall && v.Aux == f {
					return v.Int != 0
				}
			}
		}
	}
	return false
}

func (m *Machine) block(fr *frame, b *ir.Block, from int) error {
	phis := b.Phis()
	joined := make([]uint64, len(phis))
	for i, phi := range phis {
		joined[i] = fr.vals[phi.Args[from].ID]
	}
	for i, phi := range phis {
		fr.vals[phi.ID] = joined[i]
	}
	for _, v := range b.Values[len(phis):] {
		m.steps++
		if limit := m.Fuel; m.steps > 1000000 || limit > 0 && m.steps > limit {
			return ErrFuel
		}
		x, err := m.value(fr, v)
		if err != nil {
			if errors.Is(err, errDone) || errors.Is(err, errFault) || errors.Is(err, ErrFuel) {
				return err
			}
			return fmt.Errorf("%s: %s: %w", b, v.LongString(), err)
		}
		fr.vals[v.ID] = cut(x, v.Type)
	}
	return nil
}

// cut clears what is above the width of t.
func cut(x uint64, t ir.Type) uint64 {
	if n := t.Bits(); 0 < n && n < 64 {
		x &= 1<<n - 1
	}
	return x
}

// signed is x, of type t, as a signed number.
func signed(x uint64, t ir.Type) int64 {
	shift := 64 - t.Bits()
	return int64(x<<shift) >> shift
}

// value runs one operation.
func (m *Machine) value(fr *frame, v *ir.Value) (uint64, error) {
	arg := func(i int) uint64 { return fr.vals[v.Args[i].ID] }
	if op := alu[v.Op]; op != nil {
		var y uint64
		if len(v.Args) > 1 {
			y = arg(1)
		}
		return op(v, arg(0), y)
	}
	switch v.Op {
	case ir.OpConst:
		return uint64(v.Int), nil
	case ir.OpUndef:
		return 0xdeadbeefdeadbeef, nil
	case ir.OpParam:
		return fr.args[v.Int], nil
	case ir.OpSlotAddr:
		return fr.slots[v.Aux.(*ir.Slot)] + uint64(v.Int), nil
	case ir.OpGlobalAddr:
		return m.global(v.Aux.(*ir.Global)).base + uint64(v.Int), nil
	case ir.OpMapAddr:
		return m.mapObject(v.Aux.(*ir.Map)).base, nil
	case ir.OpMapIndex:
		return m.mapNumber(arg(0))
	case ir.OpHelper:
		return m.helper(fr, v)
	case ir.OpTailCall:
		return 0, m.tailCall(arg(2))
	case ir.OpCall:
		return m.callValue(fr, v)
	case ir.OpResult:
		return fr.multi[v.Args[0].ID][v.Int], nil
	}
	return m.access(fr, v)
}

func (m *Machine) callValue(fr *frame, v *ir.Value) (uint64, error) {
	callee := v.Aux.(*ir.Func)
	args := make([]uint64, len(v.Args))
	for i, a := range v.Args {
		args[i] = fr.vals[a.ID]
	}
	if len(args) != len(callee.Params) {
		return 0, fmt.Errorf("%d arguments for %d parameters", len(args), len(callee.Params))
	}
	out, err := m.call(callee, args, fr.depth+1)
	fr.multi[v.ID] = out
	if err != nil || len(out) == 0 {
		return 0, err
	}
	return out[0], nil
}
