package pass

import (
	"slices"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// testRecords lets numbers tell whether there is a ring buffer record, where a test
// before has found out and one behind is to know. The verifier of Linux 6.1 forgets:
// whenever it sees a record compared with nil it follows the way on which it is nil,
// too (PTR_TO_MEM is not in reg_type_not_null, kernel/bpf/verifier.c), and finds that
// it is never given back there. Of a number it knows that it was 1.
func testRecords(f *ir.Func) {
	f.DropUnreachable()
	for _, b := range f.Blocks {
		p, _, ok := nilTest(b)
		if !ok || !mayBeRecord(p) || p.Block == b && p.Op != ir.OpPhi {
			continue
		}
		n := presence{at: map[point]*ir.Value{}}
		there := n.atStart(p, b)
		if n.unknown {
			continue
		}
		for _, phi := range n.phis {
			phi.Block.Values = slices.Insert(phi.Block.Values, 0, phi)
		}
		zero := b.Append(ir.OpConst, ir.I64, b.Control.Pos)
		b.Control = b.Append(b.Control.Op, b.Control.Type, b.Control.Pos, there, zero)
	}
}

// nilTest returns the pointer that the branch at the end of b compares with nil,
// and which successor is for nil.
func nilTest(b *ir.Block) (p *ir.Value, ifNil int, ok bool) {
	c := b.Control
	if b.Term != ir.TermIf || c.Op != ir.OpEq && c.Op != ir.OpNe || c.Args[0].Type != ir.Ptr || !c.Args[1].IsConst(0) {
		return nil, 0, false
	}
	return c.Args[0], int(boolInt(c.Op == ir.OpNe)), true
}

func mayBeRecord(p *ir.Value) bool {
	from, _ := origins(p)
	return slices.ContainsFunc(from, func(a *ir.Value) bool {
		return a.Aux.(*ir.HelperCall).ReleaseHelper == helperRingbufDiscard
	})
}

// presence makes the numbers: 0 where a pointer is nil, else 1.
type presence struct {
	at   map[point]*ir.Value
	phis []*ir.Value // in no block yet
	// unknown: on some way nothing has told yet.
	unknown bool
}

type point struct {
	p *ir.Value
	b *ir.Block
}

// atStart returns the number for p at the start of b.
func (n *presence) atStart(p *ir.Value, b *ir.Block) *ir.Value {
	own := p.Block == b && p.Op == ir.OpPhi
	switch {
	case n.at[point{p, b}] != nil:
		return n.at[point{p, b}]
	case len(b.Preds) == 1 && !own:
		return n.onEdge(p, b.Preds[0], b)
	}
	phi := b.NewValue(ir.OpPhi, ir.I64, b.Pos)
	n.at[point{p, b}] = phi
	n.phis = append(n.phis, phi)
	n.unknown = n.unknown || len(b.Preds) == 0
	for i, from := range b.Preds {
		x := p
		if own {
			x = p.Args[i]
		}
		phi.Args = append(phi.Args, n.onEdge(x, from, b))
	}
	return phi
}

// onEdge returns the number for p where the way leads from one block to another.
func (n *presence) onEdge(p *ir.Value, from, to *ir.Block) *ir.Value {
	tested, ifNil, ok := nilTest(from)
	switch {
	case p.IsConst(0):
		return numberAtEnd(from, 0)
	case neverNil(p):
		return numberAtEnd(from, 1)
	case ok && tested == p && from.Succs[0] != from.Succs[1]:
		return numberAtEnd(from, boolInt(from.Succs[ifNil] != to))
	case p.Block == from && p.Op == ir.OpCopy:
		return n.onEdge(p.Args[0], from, to)
	case p.Block == from && p.Op != ir.OpPhi:
		n.unknown = true
		return p
	}
	return n.atStart(p, from)
}

func numberAtEnd(b *ir.Block, x int64) *ir.Value {
	v := b.Append(ir.OpConst, ir.I64, b.Pos)
	v.Int = x
	return v
}
