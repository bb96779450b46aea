package pass

import "github.com/waggle-bpf/waggle/internal/compiler/ir"

// form says what lies above the bits of a narrow value in its register.
type form uint8

const (
	anyForm form = iota
	zeroForm
	signForm
)

// forms knows the form of the narrow phis that have one.
type forms map[*ir.Value]form

// narrowForms chooses the forms of phis. The counter of a loop gets the form in
// which it is compared: extended only for the comparison, the verifier would
// learn about a copy and never see the loop end. Other phis have clear upper
// bits where all that they join has.
func narrowForms(f *ir.Func) forms {
	fs := forms{}
	var phis []*ir.Value
	dom := f.Dominators()
	wanted := wantedForms(f)
	forced := map[*ir.Value]bool{}
	for _, b := range dom.RPO {
		for _, phi := range b.Phis() {
			if !narrow(phi.Type) {
				continue
			}
			phis = append(phis, phi)
			fs[phi] = zeroForm
			if w := wanted[phi]; w != anyForm && headsLoop(dom, b) {
				fs[phi], forced[phi] = w, true
			}
		}
	}
	for changed := true; changed; {
		changed = false
		for _, phi := range phis {
			if fs[phi] == zeroForm && !forced[phi] && !fs.allZero(phi.Args) {
				delete(fs, phi)
				changed = true
			}
		}
	}
	return fs
}

func headsLoop(dom *ir.DomTree, b *ir.Block) bool {
	for _, p := range b.Preds {
		if dom.Dominates(b, p) {
			return true
		}
	}
	return false
}

// wantedForms finds the forms in which narrow phis are used, through other
// phis too. Where a value is wanted in both, the comparison for order wins.
func wantedForms(f *ir.Func) forms {
	wanted := forms{}
	want := func(v *ir.Value, w form) bool {
		if v.Op != ir.OpPhi || !narrow(v.Type) || w <= wanted[v] {
			return false
		}
		wanted[v] = w
		return true
	}
	for changed := true; changed; {
		changed = false
		for _, b := range f.Blocks {
			for _, v := range b.Values {
				w := wantedBy(v)
				if v.Op == ir.OpPhi {
					w = wanted[v]
				}
				for _, a := range v.Args {
					changed = want(a, w) || changed
				}
			}
		}
	}
	return wanted
}

// wantedBy is the form in which v looks at its narrow operands.
func wantedBy(v *ir.Value) form {
	switch v.Op {
	case ir.OpEq, ir.OpNe, ir.OpULt, ir.OpULe, ir.OpLShr, ir.OpUDiv, ir.OpUMod, ir.OpZext:
		return zeroForm
	case ir.OpSLt, ir.OpSLe:
		return signForm
	}
	return anyForm
}

// impose extends what the phis with a form join, at the end of the blocks that
// it comes from.
func (fs forms) impose(f *ir.Func) {
	for _, b := range f.Blocks {
		for _, phi := range b.Phis() {
			if fs[phi] == anyForm {
				continue
			}
			for i, a := range phi.Args {
				l := legalizer{b: b.Preds[i], forms: fs}
				if fs[phi] == signForm {
					phi.Args[i] = l.signed(a, a)
				} else {
					phi.Args[i] = l.zeroed(a, a)
				}
				b.Preds[i].Values = append(b.Preds[i].Values, l.out...)
			}
		}
	}
}

func (fs forms) allZero(list []*ir.Value) bool {
	for _, v := range list {
		if !fs.isZero(v) {
			return false
		}
	}
	return true
}

// isZero reports whether the register of narrow x has clear upper bits.
func (fs forms) isZero(x *ir.Value) bool {
	switch x.Op {
	case ir.OpLoad, ir.OpEq, ir.OpNe, ir.OpULt, ir.OpULe, ir.OpSLt, ir.OpSLe, ir.OpBswap:
		return true
	case ir.OpAnd:
		return fs.isZero(x.Args[0]) || fs.isZero(x.Args[1])
	case ir.OpOr, ir.OpXor:
		return fs.isZero(x.Args[0]) && fs.isZero(x.Args[1])
	case ir.OpConst:
		return x.Int >= 0
	case ir.OpLShr, ir.OpUDiv, ir.OpUMod: // computed on zeroed operands
		return true
	}
	return fs[x] == zeroForm
}
