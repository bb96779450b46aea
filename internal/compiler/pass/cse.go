package pass

import (
	"fmt"
	"strings"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// commonSubexpressions replaces pure operations by an equal one that
// dominates them, and moves constants to where their first use asks for them.
func commonSubexpressions(f *ir.Func) bool {
	c := cse{dom: f.Dominators(), seen: map[string]*ir.Value{}, repl: map[*ir.Value]*ir.Value{}}
	c.block(f.Entry())
	f.ReplaceUses(c.repl)
	return len(c.repl) > 0
}

type cse struct {
	dom  *ir.DomTree
	seen map[string]*ir.Value
	repl map[*ir.Value]*ir.Value
}

func (c *cse) block(b *ir.Block) {
	var added []string
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
		key := cseKey(v)
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

// cseKey is equal for values that compute the same. Phis are equal only within
// a block.
func cseKey(v *ir.Value) string {
	var sb strings.Builder
	fmt.Fprintf(&sb, "%d.%d.%d", v.Op, v.Type, v.Int)
	if v.Aux != nil {
		fmt.Fprintf(&sb, ".%p", v.Aux)
	}
	if v.Op == ir.OpPhi {
		fmt.Fprintf(&sb, "@%d", v.Block.ID)
	}
	for _, a := range v.Args {
		fmt.Fprintf(&sb, ",%d", a.ID)
	}
	return sb.String()
}
