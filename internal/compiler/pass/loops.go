package pass

import (
	"go/types"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// boundLoops lets the kernel end loops, as far as the module wants it: the way
// round leads past a branch on OpSpent, and numbers that change in the loop have a
// zero added that the verifier takes for any number. It then need not follow every
// iteration, but is done with the loop as soon as it has seen one that began with
// any numbers. Nor can passes behind this one conclude anything from how such a
// loop counts, which the verifier would not know.
func boundLoops(m *ir.Module) error {
	if m.Bound == ir.BoundNone {
		return nil
	}
	for _, f := range m.Funcs {
		if f.Prog == nil && !mayFault(f) && len(f.Params)+1 > maxArgs {
			continue // a fault would need a parameter more
		}
		heads := loopHeads(f, m.Bound)
		for _, head := range heads {
			hidePhis(boundLoop(f, head), head, hiddenZero(m))
		}
		m.Bounded += len(heads)
	}
	return nil
}

// loopHeads returns where the loops begin that are to be bounded.
func loopHeads(f *ir.Func, bound ir.LoopBound) (heads []*ir.Block) {
	dom := f.Dominators()
	for _, head := range dom.RPO {
		body := f.LoopBody(dom, head)
		if body != nil && (bound == ir.BoundAll || !movesPointer(head) && !isCounted(dom, head, body)) {
			heads = append(heads, head)
		}
	}
	return heads
}

// movesPointer reports whether a pointer changes in the loop, as in for
// len(b) > 0 { b = b[1:] }: what makes its use right is a number that changes with
// it, and the verifier must know both exactly.
func movesPointer(head *ir.Block) bool {
	for _, phi := range head.Phis() {
		if phi.Type == ir.Ptr {
			return true
		}
	}
	return false
}

// boundLoop leaves the phis in the loop's head and moves the rest behind the
// branch, to a block that it returns.
func boundLoop(f *ir.Func, head *ir.Block) (rest *ir.Block) {
	pos := head.Pos
	for _, v := range head.Values {
		if !pos.IsValid() {
			pos = v.Pos
		}
	}
	rest = splitBefore(f, head, len(head.Phis()))
	spent := head.Append(ir.OpSpent, ir.I32, pos)
	bad := f.NewBlock()
	bad.SetFault(ir.FaultLoop, pos)
	head.SetIf(spent, bad, rest, pos)
	head.Likely = -1
	return rest
}

// hiddenZero is the variable that is always zero, which only its writers know:
// none.
func hiddenZero(m *ir.Module) *ir.Global {
	const name = "waggle_zero"
	for _, g := range m.Globals {
		if g.Name == name {
			return g
		}
	}
	g := &ir.Global{Name: name, Type: types.Typ[types.Uint64], Size: 8, Align: 8, Section: ir.Bss, Private: true}
	m.Globals = append(m.Globals, g)
	return g
}

// hidePhis adds zero to the numbers that change in the loop, where an iteration
// begins. Each reads it anew, else the verifier would know how they differ.
func hidePhis(rest, head *ir.Block, zero *ir.Global) {
	repl := map[*ir.Value]*ir.Value{}
	m := maker{b: rest, pos: head.Pos}
	for _, phi := range head.Phis() {
		if !phi.Type.IsInt() {
			continue
		}
		addr := m.value(ir.OpGlobalAddr, ir.Ptr)
		addr.Aux = zero
		repl[phi] = m.value(ir.OpAdd, phi.Type, phi, m.value(ir.OpVolatile, phi.Type, addr))
	}
	rest.Func.ReplaceUses(repl)
	for phi, hidden := range repl {
		hidden.Args[0] = phi
	}
	rest.Values = append(m.out, rest.Values...)
}

// isCounted reports whether a loop goes on only while a number that starts at a
// constant and changes by a constant compares with a constant: the verifier
// follows such loops by itself.
func isCounted(dom *ir.DomTree, head *ir.Block, body map[*ir.Block]bool) bool {
	for _, phi := range head.Phis() {
		if steps := constantSteps(phi, body); steps != nil && leavesBy(dom, head, body, phi, steps) {
			return true
		}
	}
	return false
}

// constantSteps returns the next values of a phi that starts at constants and
// goes on by operations with constants; nil for any other.
func constantSteps(phi *ir.Value, body map[*ir.Block]bool) []*ir.Value {
	var steps []*ir.Value
	for i, a := range phi.Args {
		switch {
		case a.Op == ir.OpConst && !body[phi.Block.Preds[i]]:
		case body[phi.Block.Preds[i]] && isStep(a, phi):
			steps = append(steps, a)
		default:
			return nil
		}
	}
	return steps
}

func isStep(next, phi *ir.Value) bool {
	switch next.Op {
	case ir.OpAdd, ir.OpSub, ir.OpMul, ir.OpShl, ir.OpLShr:
		return next.Args[0] == phi && next.Args[1].Op == ir.OpConst
	}
	return false
}

// leavesBy reports whether every way round the loop passes a comparison of a
// counter with a constant that may leave the loop.
func leavesBy(dom *ir.DomTree, head *ir.Block, body map[*ir.Block]bool, phi *ir.Value, steps []*ir.Value) bool {
	counts := map[*ir.Value]bool{phi: true}
	for _, s := range steps {
		counts[s] = true
	}
	for b := range body {
		if b.Term != ir.TermIf || body[b.Succs[0]] && body[b.Succs[1]] || !comparesWithConstant(b.Control, counts) {
			continue
		}
		always := true
		for _, p := range head.Preds {
			always = always && (!body[p] || dom.Dominates(b, p))
		}
		if always {
			return true
		}
	}
	return false
}

func comparesWithConstant(c *ir.Value, counts map[*ir.Value]bool) bool {
	if !c.Op.IsCompare() {
		return false
	}
	x, y := c.Args[0], c.Args[1]
	return counts[x] && y.Op == ir.OpConst || counts[y] && x.Op == ir.OpConst
}
