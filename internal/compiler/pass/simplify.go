package pass

import (
	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// simplifier applies algebraic identities, one value at a time. Each family of
// operations has its function in rules; it returns a replacement, or v itself
// after changing it in place, or nil where nothing applies.
type simplifier struct {
	// legal: narrow operations are gone and must not come back.
	legal bool
	uses  []int // by value ID, as of the start of the run
}

// single reports whether v has one use only. What a rule made is used by it.
func (s simplifier) single(v *ir.Value) bool { return v.ID >= len(s.uses) || s.uses[v.ID] <= 1 }

// rules is the table of rules by operation.
var rules = map[ir.Op]func(s simplifier, v *ir.Value) *ir.Value{
	ir.OpAdd: simplifyAdd, ir.OpSub: simplifySub, ir.OpMul: simplifyMul,
	ir.OpUDiv: simplifyUDiv, ir.OpUMod: simplifyUMod,
	ir.OpAnd: simplifyAnd, ir.OpOr: simplifyOr, ir.OpXor: simplifyXor,
	ir.OpShl: simplifyShift, ir.OpLShr: simplifyShift, ir.OpAShr: simplifyShift,
	ir.OpZext: simplifyZext, ir.OpSext: simplifySext, ir.OpTrunc: simplifyTrunc,
	ir.OpEq: simplifyEquality, ir.OpNe: simplifyEquality,
	ir.OpULt: simplifyOrder, ir.OpULe: simplifyOrder, ir.OpSLt: simplifyOrder, ir.OpSLe: simplifyOrder,
	ir.OpPtrAdd: simplifyPtrAdd, ir.OpPtrDiff: simplifyPtrDiff, ir.OpIntToPtr: simplifyIntToPtr,
	ir.OpBswap: simplifyBswap, ir.OpCopy: simplifyCopy, ir.OpMapIndex: simplifyMapIndex,
}

// run simplifies every value of f once.
func (s simplifier) run(f *ir.Func) bool {
	foldAddresses(f)
	s.uses = f.UseCounts()
	changed := false
	repl := map[*ir.Value]*ir.Value{}
	for _, b := range f.Blocks {
		out := make([]*ir.Value, 0, len(b.Values))
		for _, v := range b.Values {
			for i, a := range v.Args {
				for repl[a] != nil {
					a = repl[a]
				}
				v.Args[i] = a
			}
			n := len(b.Values)
			r := s.value(v)
			out = append(out, b.Values[n:]...) // operands that the rule made
			b.Values = b.Values[:n]
			switch {
			case r == nil || r == v:
				out = append(out, v)
				changed = changed || r == v
			default:
				if r.Block == b && !contains(out, r) {
					out = append(out, r)
				}
				repl[v] = r
				changed = true
			}
		}
		b.Values = out
		changed = simplifyControl(b) || changed
	}
	f.ReplaceUses(repl)
	return changed
}

func contains(list []*ir.Value, v *ir.Value) bool {
	for i := len(list) - 1; i >= 0; i-- {
		if list[i] == v {
			return true
		}
	}
	return false
}

func (s simplifier) value(v *ir.Value) *ir.Value {
	if c, ok := ir.FoldConst(v); ok {
		return constant(v, v.Type, c)
	}
	if v.Op.IsCommutative() && v.Args[0].Op == ir.OpConst && v.Args[1].Op != ir.OpConst {
		v.Args[0], v.Args[1] = v.Args[1], v.Args[0]
	}
	if rule := rules[v.Op]; rule != nil {
		return rule(s, v)
	}
	return nil
}

// constant makes a constant beside v that is in no list yet.
func constant(v *ir.Value, t ir.Type, n int64) *ir.Value {
	c := v.Block.NewValue(ir.OpConst, t, v.Pos)
	c.Int = ir.SignExtend(n, t)
	return c
}

// operand makes a value in front of v.
func operand(v *ir.Value, op ir.Op, t ir.Type, args ...*ir.Value) *ir.Value {
	x := v.Block.NewValue(op, t, v.Pos, args...)
	v.Block.Values = append(v.Block.Values, x)
	return x
}

// intOperand makes a constant in front of v.
func intOperand(v *ir.Value, t ir.Type, n int64) *ir.Value {
	x := operand(v, ir.OpConst, t)
	x.Int = ir.SignExtend(n, t)
	return x
}

// rewrite turns v into another operation in place.
func rewrite(v *ir.Value, op ir.Op, args ...*ir.Value) *ir.Value {
	v.Op, v.Args = op, args
	return v
}

// isConst returns the constant value of v.
func isConst(v *ir.Value) (int64, bool) { return v.Int, v.Op == ir.OpConst }
