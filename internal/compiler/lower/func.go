package lower

import (
	"errors"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/ssa"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
	"github.com/waggle-bpf/waggle/internal/compiler/subset"
)

// errRefused unwinds out of a function whose source was refused; the
// diagnostic is in the module's list.
var errRefused = errors.New("refused")

// rep is the representation of a Go value: the leaves of its layout, or the one
// address of a value in memory.
type rep []*ir.Value

// fn lowers one function.
type fn struct {
	m    *module
	src  *ssa.Function
	ir   *ir.Func
	inst *instance

	shapes map[ssa.Value]shape
	vals   map[ssa.Value]rep
	tuples map[ssa.Value][]rep
	blocks map[*ssa.BasicBlock]*ir.Block // where a block starts
	ends   map[*ssa.BasicBlock]*ir.Block // where it ends, after the checks in it
	entry  *ir.Block
	cur    *ir.Block
	pos    token.Pos   // of the instruction being lowered
	outs   []*ir.Value // where in-memory results go; nil for the others
}

func (f *fn) fail(pos token.Pos, code, hint, format string, args ...any) {
	if !pos.IsValid() {
		pos = f.pos
	}
	f.m.diags.Add(f.m.pkg.Fset.Position(pos), code, hint, format, args...)
	panic(errRefused)
}

func (f *fn) lower(free, params []shape) {
	f.entry = f.ir.NewBlock()
	f.cur = f.entry
	f.pos = f.src.Pos()
	f.params(free, params)
	order := f.src.DomPreorder()
	for _, b := range order {
		f.blocks[b] = f.ir.NewBlock()
	}
	f.entry.SetJump(f.blocks[f.src.Blocks[0]])
	for _, b := range order {
		f.cur = f.blocks[b]
		f.declarePhis(b)
		for _, in := range b.Instrs {
			if p := in.Pos(); p.IsValid() {
				f.pos = p
			}
			f.instr(in)
		}
		f.ends[b] = f.cur
	}
	f.connectPhis()
	f.dropUnreachable()
	f.resultTypes()
}

// params makes the flattened parameters and, for a result that lives in
// memory, the pointer to it.
func (f *fn) params(free, params []shape) {
	n := int64(0)
	param := func(t ir.Type) *ir.Value {
		v := f.emit(ir.OpParam, t)
		v.Int = n
		n++
		f.ir.Params = append(f.ir.Params, v)
		return v
	}
	leaves := func(v ssa.Value, s shape) {
		r := rep{}
		for _, t := range f.leafTypes(v.Type(), s) {
			r = append(r, param(t))
		}
		f.vals[v] = r
	}
	for i, v := range f.src.FreeVars {
		leaves(v, free[i])
	}
	for i, p := range f.src.Params {
		leaves(p, params[i])
	}
	res := f.src.Signature.Results()
	f.outs = make([]*ir.Value, res.Len())
	for i := range f.outs {
		if f.layout(res.At(i).Type()).inMemory {
			f.outs[i] = param(ir.Ptr)
		}
	}
}

func (f *fn) layout(t types.Type) *layout { return f.m.layouts.of(t) }

// declarePhis makes the phis of b without operands, which may not exist yet.
func (f *fn) declarePhis(b *ssa.BasicBlock) {
	for _, in := range b.Instrs {
		phi, ok := in.(*ssa.Phi)
		if !ok {
			break
		}
		if f.layout(phi.Type()).inMemory {
			f.vals[phi] = f.largePhi(phi)
			continue
		}
		var r rep
		for _, t := range f.leafTypes(phi.Type(), f.shapeOf(phi)) {
			v := f.emit(ir.OpPhi, t)
			r = append(r, v)
		}
		f.vals[phi] = r
	}
}

// connectPhis fills in the operands. The predecessors of an IR block run in
// the order in which the edges were made, which need not be go/ssa's.
func (f *fn) connectPhis() {
	for _, b := range f.src.Blocks {
		start, ok := f.blocks[b]
		if !ok {
			continue
		}
		taken := map[*ir.Block]int{}
		index := make([]int, len(b.Preds))
		for i, p := range b.Preds {
			index[i] = f.predIndex(start, f.ends[p], taken)
		}
		var large []*ssa.Phi
		for _, in := range b.Instrs {
			phi, ok := in.(*ssa.Phi)
			if !ok {
				break
			}
			if f.layout(phi.Type()).inMemory {
				large = append(large, phi)
			} else {
				f.fillPhi(phi, start, b, index)
			}
		}
		f.fillLargePhis(b, large, start, index)
	}
}

// predIndex finds the next unused edge from p to b.
func (f *fn) predIndex(b, p *ir.Block, taken map[*ir.Block]int) int {
	if p == nil {
		return -1
	}
	skip := taken[p]
	taken[p]++
	for i, q := range b.Preds {
		if q == p {
			if skip == 0 {
				return i
			}
			skip--
		}
	}
	return -1
}

func (f *fn) fillPhi(phi *ssa.Phi, start *ir.Block, b *ssa.BasicBlock, index []int) {
	r := f.vals[phi]
	for k := range r {
		r[k].Args = make([]*ir.Value, len(start.Preds))
	}
	s := f.shapeOf(phi)
	for i, e := range phi.Edges {
		at := index[i]
		if at < 0 {
			continue // go/ssa's edge, but the block ends in a fault here
		}
		f.cur = f.ends[b.Preds[i]]
		er := f.value(e)
		if s.fn != nil && f.shapeOf(e).key() != s.key() {
			f.failFunc(phi)
		}
		if s.packet && !f.isPacket(e) && !isNilConst(e) {
			f.fail(phi.Pos(), subset.MixedSlices, "keep the two apart", "a packet slice and a plain slice meet in one variable")
		}
		for k := range r {
			r[k].Args[at] = f.convertLeaf(er[k], r[k].Type)
		}
	}
}

// convertLeaf adapts the zero leaves of a nil slice to a packet slice.
func (f *fn) convertLeaf(v *ir.Value, t ir.Type) *ir.Value {
	if v.Type != t && v.Op == ir.OpConst {
		return f.constant(t, v.Int)
	}
	return v
}

func isNilConst(v ssa.Value) bool {
	c, ok := v.(*ssa.Const)
	return ok && c.Value == nil
}

// dropUnreachable removes blocks that a fault or constant check cut off.
func (f *fn) dropUnreachable() { f.ir.DropUnreachable() }

// resultTypes records the flattened results.
func (f *fn) resultTypes() {
	res := f.src.Signature.Results()
	f.inst.results = make([]shape, max(1, res.Len()))
	if f.ir.Prog != nil {
		f.ir.Results = []ir.Type{f.layout(res.At(0).Type()).leaves[0].typ}
		return
	}
	for i, out := range f.outs {
		if out != nil {
			continue
		}
		t := res.At(i).Type()
		s := f.returned(i)
		f.inst.results[i] = s
		f.ir.Results = append(f.ir.Results, f.leafTypes(t, s)...)
		if s.fn != nil {
			f.ir.MustInline = true // what it captured lives in this frame
		}
	}
}

// returned returns the shape of result i.
func (f *fn) returned(i int) shape {
	t := f.src.Signature.Results().At(i).Type()
	if !hasShape(t) {
		return shape{}
	}
	var s shape
	for _, b := range f.src.Blocks {
		if len(b.Instrs) == 0 {
			continue
		}
		ret, ok := b.Instrs[len(b.Instrs)-1].(*ssa.Return)
		if !ok {
			continue
		}
		r := f.shapeOf(ret.Results[i])
		if r.fn != nil && s.fn != nil && r.key() != s.key() {
			f.failFunc(ret.Results[i])
		}
		if !r.isZero() {
			s = r
		}
	}
	return s
}

// emit appends a value to the current block.
func (f *fn) emit(op ir.Op, t ir.Type, args ...*ir.Value) *ir.Value {
	return f.cur.Append(op, t, f.pos, args...)
}

// constant makes an integer or a null pointer.
func (f *fn) constant(t ir.Type, n int64) *ir.Value {
	v := f.emit(ir.OpConst, t)
	v.Int = ir.SignExtend(n, t)
	return v
}

// op emits a pure operation, folded if its operands are constants.
func (f *fn) op(op ir.Op, t ir.Type, args ...*ir.Value) *ir.Value {
	v := f.cur.NewValue(op, t, f.pos, args...)
	if c, ok := ir.FoldConst(v); ok {
		return f.constant(t, c)
	}
	f.cur.Values = append(f.cur.Values, v)
	return v
}

// branch ends the current block with a branch on cond and returns the two new
// blocks; nothing is current afterwards.
func (f *fn) branch(cond *ir.Value) (then, els *ir.Block) {
	then, els = f.ir.NewBlock(), f.ir.NewBlock()
	f.cur.SetIf(cond, then, els, f.pos)
	f.cur = nil
	return then, els
}

// jump goes from the current block to b, which becomes current.
func (f *fn) jump(b *ir.Block) {
	f.cur.SetJump(b)
	f.cur = b
}

// check continues where cond holds and faults elsewhere.
func (f *fn) check(cond *ir.Value, kind ir.FaultKind, pos token.Pos) {
	if cond.Op == ir.OpConst && cond.Int != 0 {
		return
	}
	if !pos.IsValid() {
		pos = f.pos
	}
	if cond.Op == ir.OpConst {
		f.cur.SetFault(kind, pos)
		f.cur = f.ir.NewBlock() // unreachable
		return
	}
	from := f.cur
	ok, bad := f.branch(cond)
	from.Likely = 1
	bad.SetFault(kind, pos)
	f.cur = ok
}

// phi joins one value from each predecessor of the current block, in order.
func (f *fn) phi(t ir.Type, args ...*ir.Value) *ir.Value {
	v := f.cur.NewValue(ir.OpPhi, t, f.pos, args...)
	n := len(f.cur.Phis())
	f.cur.Values = append(f.cur.Values[:n:n], append([]*ir.Value{v}, f.cur.Values[n:]...)...)
	return v
}
