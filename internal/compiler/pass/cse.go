package pass

import (
	"fmt"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// commonSubexpressions replaces pure operations by an equal one that
// dominates them.
func commonSubexpressions(f *ir.Func) bool {
	c := cse{dom: f.Dominators(), seen: map[exprKey]*ir.Value{}, repl: map[*ir.Value]*ir.Value{}}
	c.block(f.Entry())
	f.ReplaceUses(c.repl)
	return len(c.repl) > 0
}

type cse struct {
	dom  *ir.DomTree
	seen map[exprKey]*ir.Value
	repl map[*ir.Value]*ir.Value
}

func (c *cse) block(b *ir.Block) {
	var added []exprKey
	kept := b.Values[:0]
	for _, v := range b.Values {
		for i, a := range v.Args {
			if r := c.repl[a]; r != nil {
				v.Args[i] = r
			}
		}
		if !v.Op.IsPure() && v.Op != ir.OpPhi {
			kept = append(kept, v)
			continue
		}
		key := keyOf(v)
		if old := c.seen[key]; old != nil {
			c.repl[v] = old
			continue
		}
		c.seen[key] = v
		added = append(added, key)
		kept = append(kept, v)
	}
	b.Values = kept
	for _, child := range c.dom.Children[b.ID] {
		c.block(child)
	}
	for _, key := range added {
		delete(c.seen, key)
	}
}

// exprKey is equal for values that compute the same.
type exprKey struct {
	op   ir.Op
	typ  ir.Type
	n    int64
	aux  any
	args [2]*ir.Value
	more string    // operands beyond the second, of phis
	in   *ir.Block // of phis, which are equal only within a block
}

func keyOf(v *ir.Value) exprKey {
	k := exprKey{op: v.Op, typ: v.Type, n: v.Int, aux: v.Aux}
	copy(k.args[:], v.Args)
	if v.Op == ir.OpPhi {
		k.in = v.Block
	}
	for _, a := range v.Args[min(len(v.Args), len(k.args)):] {
		k.more += fmt.Sprintf(",%d", a.ID)
	}
	return k
}
