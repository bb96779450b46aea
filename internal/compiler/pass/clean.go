package pass

import (
	"slices"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// clean removes dead values and tidies the control-flow graph.
func clean(f *ir.Func) {
	for changed := true; changed; {
		changed = cleanCFG(f)
		changed = deadValues(f) || changed
	}
}

// deadValues removes values that nothing needs.
func deadValues(f *ir.Func) bool {
	live := make([]bool, f.NumValues())
	var work []*ir.Value
	mark := func(v *ir.Value) {
		if !live[v.ID] {
			live[v.ID] = true
			work = append(work, v)
		}
	}
	for _, b := range f.Blocks {
		for _, v := range b.Values {
			if mustKeep(v) {
				mark(v)
			}
		}
		if b.Control != nil {
			mark(b.Control)
		}
		for _, r := range b.Rets {
			mark(r)
		}
	}
	for len(work) > 0 {
		v := work[len(work)-1]
		work = work[:len(work)-1]
		for _, a := range v.Args {
			mark(a)
		}
	}
	changed := false
	for _, b := range f.Blocks {
		kept := b.Values[:0]
		for _, v := range b.Values {
			if live[v.ID] {
				kept = append(kept, v)
			}
		}
		changed = changed || len(kept) != len(b.Values)
		b.Values = kept
	}
	return changed
}

// mustKeep reports whether v has an effect of its own.
func mustKeep(v *ir.Value) bool {
	switch v.Op {
	case ir.OpParam:
		return true
	case ir.OpHelper:
		return !v.Aux.(*ir.HelperCall).Pure
	}
	return v.Op.HasEffect()
}

// cleanCFG folds constant branches, merges straight lines, skips empty blocks
// and removes what can't be reached.
func cleanCFG(f *ir.Func) bool {
	changed := false
	for _, b := range f.Blocks {
		changed = foldBranch(b) || changed
	}
	changed = f.DropUnreachable() || changed
	for _, b := range f.Blocks {
		for mergeNext(f, b) {
			changed = true
		}
	}
	for _, b := range f.Blocks {
		changed = skipEmpty(f, b) || changed
	}
	changed = f.DropUnreachable() || changed
	return simplifyPhis(f) || changed
}

// foldBranch turns a branch on a constant, or to one place, into a jump.
func foldBranch(b *ir.Block) bool {
	if b.Term != ir.TermIf {
		return false
	}
	drop := -1
	switch {
	case b.Control.Op == ir.OpConst && b.Control.Int != 0:
		drop = 1
	case b.Control.Op == ir.OpConst:
		drop = 0
	case b.Succs[0] == b.Succs[1] && samePhis(b):
		drop = 1
	default:
		return false
	}
	if b.Succs[0] == b.Succs[1] {
		// Which of the parallel edges goes matters to the phis only.
		removeEdge(b, drop)
	} else {
		b.RemoveSucc(drop)
	}
	b.Term, b.Control, b.Likely = ir.TermJump, nil, 0
	return true
}

// removeEdge removes the drop-th of two parallel edges.
func removeEdge(b *ir.Block, drop int) {
	s := b.Succs[0]
	n := drop
	for i, p := range s.Preds {
		if p != b {
			continue
		}
		if n == 0 {
			s.RemovePred(i)
			break
		}
		n--
	}
	b.Succs = b.Succs[:1]
}

// samePhis reports whether both of b's parallel edges carry the same values.
func samePhis(b *ir.Block) bool {
	s := b.Succs[0]
	var at []int
	for i, p := range s.Preds {
		if p == b {
			at = append(at, i)
		}
	}
	for _, phi := range s.Phis() {
		if phi.Args[at[0]] != phi.Args[at[1]] {
			return false
		}
	}
	return true
}

// mergeNext appends b's only successor to b if b is its only predecessor.
func mergeNext(f *ir.Func, b *ir.Block) bool {
	if b.Term != ir.TermJump || len(b.Preds) == 0 && b != f.Entry() {
		return false
	}
	s := b.Succs[0]
	if s == b || len(s.Preds) != 1 || s == f.Entry() {
		return false
	}
	repl := map[*ir.Value]*ir.Value{}
	for _, phi := range s.Phis() {
		repl[phi] = phi.Args[0]
	}
	for _, v := range s.Values[len(repl):] {
		v.Block = b
		b.Values = append(b.Values, v)
	}
	b.Term, b.Control, b.Rets, b.Fault, b.Likely, b.Pos = s.Term, s.Control, s.Rets, s.Fault, s.Likely, s.Pos
	b.Succs = s.Succs
	for _, t := range b.Succs {
		for i, p := range t.Preds {
			if p == s {
				t.Preds[i] = b
			}
		}
	}
	s.Values, s.Succs, s.Preds, s.Term = nil, nil, nil, ir.TermFault
	for i, x := range f.Blocks {
		if x == s {
			f.Blocks = append(f.Blocks[:i:i], f.Blocks[i+1:]...)
			break
		}
	}
	f.ReplaceUses(repl)
	return true
}

// skipEmpty sends b's predecessors straight to b's successor if b holds
// nothing, unless that would make parallel edges that phis tell apart.
func skipEmpty(f *ir.Func, b *ir.Block) bool {
	if b == f.Entry() || b.Term != ir.TermJump || len(b.Values) != 0 || b.Succs[0] == b {
		return false
	}
	s := b.Succs[0]
	changed := false
	for i := len(b.Preds) - 1; i >= 0; i-- {
		p := b.Preds[i]
		if len(s.Phis()) > 0 && s.PredIndex(p) >= 0 {
			continue
		}
		redirect(p, b, s, i)
		changed = true
	}
	return changed
}

// redirect makes the edge from p to b, b's predecessor number i, lead to s,
// where phis take the operands that they have for b.
func redirect(p, b, s *ir.Block, i int) {
	from := s.PredIndex(b)
	for k, t := range p.Succs {
		if t == b {
			p.Succs[k] = s
			break
		}
	}
	b.RemovePred(i)
	s.Preds = append(s.Preds, p)
	for _, phi := range s.Phis() {
		phi.Args = append(phi.Args, phi.Args[from])
	}
}

// simplifyPhis replaces phis whose operands are all the same, or constants and
// addresses that are equal.
func simplifyPhis(f *ir.Func) bool {
	repl := map[*ir.Value]*ir.Value{}
	for _, b := range f.Blocks {
		kept := b.Values[:0]
		phis := 0
		var made []*ir.Value
		for _, v := range b.Values {
			if v.Op == ir.OpPhi {
				if same, copied := singleOperand(v, repl); same != nil {
					if copied {
						same = copyLeaf(b, same)
						made = append(made, same)
					}
					repl[v] = same
					continue
				}
				phis++
			}
			kept = append(kept, v)
		}
		b.Values = slices.Insert(kept, phis, made...)
	}
	f.ReplaceUses(repl)
	return len(repl) > 0
}

// singleOperand returns the only operand of phi besides phi itself. Of several
// equal constants or addresses it returns one, which has to be copied.
func singleOperand(phi *ir.Value, repl map[*ir.Value]*ir.Value) (same *ir.Value, copied bool) {
	for _, a := range phi.Args {
		for repl[a] != nil {
			a = repl[a]
		}
		switch {
		case a == phi || a == same:
		case same == nil:
			same = a
		case equalLeaves(a, same):
			copied = true
		default:
			return nil, false
		}
	}
	return same, copied
}

// equalLeaves reports whether two values without operands are the same constant
// or address.
func equalLeaves(a, b *ir.Value) bool {
	switch a.Op {
	case ir.OpConst, ir.OpSlotAddr, ir.OpGlobalAddr, ir.OpMapAddr, ir.OpFuncAddr:
		return a.Op == b.Op && a.Type == b.Type && a.Int == b.Int && a.Aux == b.Aux
	}
	return false
}

// copyLeaf makes v anew in b; it is in no list yet.
func copyLeaf(b *ir.Block, v *ir.Value) *ir.Value {
	c := b.NewValue(v.Op, v.Type, v.Pos)
	c.Int, c.Aux = v.Int, v.Aux
	return c
}
