package pass

import "github.com/waggle-bpf/waggle/internal/compiler/ir"

// offsetPhis turns pointers that control flow chooses into offsets where all of
// them point into one variable: s = s[1:] in a loop moves an integer then, not an
// address. The verifier knows what a comparison says of an integer, but forgets
// what it said of the sum that a pointer is; and a variable whose address goes
// through no phi is known to be accessed here only.
func offsetPhis(f *ir.Func) {
	o := offsets{f: f, roots: findRoots(f), of: map[*ir.Value]*ir.Value{}}
	repl := map[*ir.Value]*ir.Value{}
	for _, b := range f.Blocks {
		for _, phi := range b.Phis() {
			if r := o.roots[phi]; phi.Type == ir.Ptr && r != nil {
				o.of[phi] = b.NewValue(ir.OpPhi, ir.I64, phi.Pos)
				repl[phi] = b.NewValue(ir.OpPtrAdd, ir.Ptr, phi.Pos)
			}
		}
	}
	if len(repl) == 0 {
		return
	}
	for _, b := range f.Blocks {
		o.block(b, repl)
	}
	f.ReplaceUses(repl)
	clean(f)
}

type offsets struct {
	f *ir.Func
	// roots holds the address of the variable that a pointer points into.
	roots map[*ir.Value]*ir.Value
	// of holds the offsets of pointers from the starts of their variables.
	of map[*ir.Value]*ir.Value
}

// block gives the phis of b their integer twins, and the pointers too that those
// join.
func (o *offsets) block(b *ir.Block, repl map[*ir.Value]*ir.Value) {
	var phis, rest []*ir.Value
	for _, v := range b.Phis() {
		p := repl[v]
		if p == nil {
			phis = append(phis, v)
			continue
		}
		twin := o.of[v]
		for i, a := range v.Args {
			twin.Args = append(twin.Args, o.offset(a, b.Preds[i]))
		}
		base := b.NewValue(o.roots[v].Op, ir.Ptr, v.Pos)
		base.Aux = o.roots[v].Aux
		p.Args = []*ir.Value{base, twin}
		phis, rest = append(phis, twin), append(rest, base, p)
	}
	b.Values = append(append(phis, rest...), b.Values[len(b.Phis()):]...)
}

// offset returns the offset of p, computed at the end of b if need be.
func (o *offsets) offset(p *ir.Value, b *ir.Block) *ir.Value {
	if n := o.of[p]; n != nil {
		return n
	}
	if p.Op == ir.OpPtrAdd {
		n := b.NewValue(ir.OpAdd, ir.I64, p.Pos, o.offset(p.Args[0], b), p.Args[1])
		b.Values = append(b.Values, n)
		return n
	}
	n := b.NewValue(ir.OpConst, ir.I64, p.Pos)
	n.Int = p.Int
	b.Values = append(b.Values, n)
	return n
}

// findRoots finds the pointers that are known to point into one variable: it
// starts from the belief that phis do and gives up where they join two.
func findRoots(f *ir.Func) map[*ir.Value]*ir.Value {
	roots := map[*ir.Value]*ir.Value{}
	dead := map[*ir.Value]bool{} // points into several, or elsewhere
	order := f.Postorder()
	for changed := true; changed; {
		changed = false
		for i := len(order) - 1; i >= 0; i-- {
			for _, v := range order[i].Values {
				if v.Type != ir.Ptr || dead[v] {
					continue
				}
				root, ok := rootFrom(v, roots, dead)
				if !ok {
					dead[v] = true
					delete(roots, v)
					changed = true
				} else if root != nil && roots[v] == nil {
					roots[v] = root
					changed = true
				}
			}
		}
	}
	return roots
}

// rootFrom derives the root of v from those of its operands; nil if they are not
// known yet, false if there can be none.
func rootFrom(v *ir.Value, roots map[*ir.Value]*ir.Value, dead map[*ir.Value]bool) (*ir.Value, bool) {
	switch v.Op {
	case ir.OpSlotAddr, ir.OpGlobalAddr:
		return v, true
	case ir.OpPtrAdd:
		return roots[v.Args[0]], !dead[v.Args[0]]
	case ir.OpPhi:
		var root *ir.Value
		for _, a := range v.Args {
			r := roots[a]
			switch {
			case dead[a] || r != nil && root != nil && (r.Op != root.Op || r.Aux != root.Aux):
				return nil, false
			case r != nil:
				root = r
			}
		}
		return root, true
	}
	return nil, false
}
