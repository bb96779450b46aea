package lower

import (
	"go/constant"
	"go/token"
	"go/types"

	"golang.org/x/tools/go/ssa"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
	"github.com/waggle-bpf/waggle/internal/compiler/subset"
)

// instr lowers one go/ssa instruction at the end of the current block.
func (f *fn) instr(in ssa.Instruction) {
	switch in := in.(type) {
	case *ssa.Phi, *ssa.DebugRef:
	case *ssa.Alloc:
		if !isFunc(in.Type()) { // those are what is stored in them
			f.vals[in] = rep{f.alloc(in)}
		}
	case *ssa.MakeClosure:
		f.vals[in] = f.closure(in)
	case *ssa.BinOp:
		f.vals[in] = rep{f.binop(in)}
	case *ssa.UnOp:
		if !isMeasuredOnly(in) {
			f.vals[in] = f.unop(in)
		}
	case *ssa.Convert:
		f.vals[in] = f.convert(in)
	case *ssa.ChangeType:
		f.vals[in] = f.changeType(in)
	case *ssa.MakeInterface:
		f.vals[in] = f.value(in.X)
	case *ssa.ChangeInterface:
		f.vals[in] = f.value(in.X)
	case *ssa.FieldAddr:
		f.vals[in] = rep{f.fieldAddr(in)}
	case *ssa.Field:
		f.vals[in] = f.field(in)
	case *ssa.IndexAddr:
		f.vals[in] = rep{f.indexAddr(in)}
	case *ssa.Index:
		f.vals[in] = f.index(in)
	case *ssa.Slice:
		f.vals[in] = f.slice(in)
	case *ssa.SliceToArrayPointer:
		f.vals[in] = rep{f.sliceToArray(in)}
	case *ssa.Call:
		f.call(in)
	case *ssa.Extract:
		f.vals[in] = f.tuples[in.Tuple][in.Index]
	case *ssa.Store:
		if isFunc(in.Addr.Type()) {
			f.storeFunc(in)
			return
		}
		f.store(f.addr(in.Addr), in.Val, in.Addr.Type().Underlying().(*types.Pointer).Elem())
	case *ssa.If:
		f.cur.SetIf(f.value(in.Cond)[0], f.blocks[in.Block().Succs[0]], f.blocks[in.Block().Succs[1]], f.pos)
	case *ssa.Jump:
		to := in.Block().Succs[0]
		if to == in.Block() && len(to.Instrs) == 1 {
			f.cur.Pos = f.pos // an empty loop has no other
		}
		f.cur.SetJump(f.blocks[to])
	case *ssa.Return:
		f.ret(in)
	case *ssa.Panic:
		f.cur.SetFault(ir.FaultPanic, f.pos)
	case *ssa.RunDefers:
	default:
		f.fail(in.Pos(), subset.NoForm, "see docs/subset.md", "%s is not part of kernel Go", describe(in))
	}
}

// describe names an instruction for a message that the subset rules should
// have made unnecessary.
func describe(in ssa.Instruction) string {
	switch in.(type) {
	case *ssa.MakeSlice:
		return "make of a slice"
	case *ssa.MakeMap, *ssa.MapUpdate, *ssa.Lookup:
		return "a Go map"
	case *ssa.MakeChan, *ssa.Send, *ssa.Select:
		return "a channel"
	case *ssa.Go:
		return "go"
	case *ssa.Defer:
		return "defer"
	case *ssa.TypeAssert:
		return "a type assertion"
	case *ssa.Range, *ssa.Next:
		return "range over a string or map"
	}
	return "this construct"
}

// value returns the representation of v at the end of the current block.
func (f *fn) value(v ssa.Value) rep {
	switch v := v.(type) {
	case *ssa.Const:
		return f.constValue(v)
	case *ssa.Global:
		return rep{f.globalAddr(v)}
	case *ssa.Function:
		return nil // its shape says everything
	case *ssa.Builtin:
		panic("BUG: builtin " + v.Name() + " as a value")
	}
	r, ok := f.vals[v]
	if !ok {
		panic("BUG: value used before it was lowered: " + v.String())
	}
	return r
}

func (f *fn) globalAddr(g *ssa.Global) *ir.Value {
	if t := g.Type().(*types.Pointer).Elem(); f.layout(t).size == 0 {
		return f.newRawSlot(g.Name(), 0, 1) // its address is all there is to it
	}
	v := f.cur.NewValue(ir.OpGlobalAddr, ir.Ptr, f.pos)
	if m := f.m.maps[g]; m != nil {
		v.Op, v.Aux = ir.OpMapAddr, m
	} else if ig := f.m.globals[g]; ig != nil {
		v.Aux = ig
	} else {
		f.fail(f.pos, subset.NoForm, "declare it in the kernel package with a constant value", "variable %s is not available in kernel code", g.Name())
	}
	f.cur.Values = append(f.cur.Values, v)
	return v
}

func (f *fn) constValue(c *ssa.Const) rep {
	t := c.Type()
	if c.Value == nil { // zero value of t
		return f.zeroValue(t, false)
	}
	switch c.Value.Kind() {
	case constant.Bool:
		n := int64(0)
		if constant.BoolVal(c.Value) {
			n = 1
		}
		return rep{f.constant(ir.I8, n)}
	case constant.String:
		s := constant.StringVal(c.Value)
		addr := f.emit(ir.OpGlobalAddr, ir.Ptr)
		addr.Aux = f.m.constString(s, c.Pos())
		return rep{addr, f.constant(ir.I64, int64(len(s)))}
	case constant.Int:
		n, exact := constant.Int64Val(c.Value)
		if !exact {
			u, _ := constant.Uint64Val(c.Value)
			n = int64(u)
		}
		return rep{f.constant(f.layout(t).leaves[0].typ, n)}
	}
	f.fail(c.Pos(), subset.NoForm, "use integers", "floating point values are not part of kernel Go")
	return nil
}

// zeroValue makes the zero value of t.
func (f *fn) zeroValue(t types.Type, packet bool) rep {
	if f.layout(t).inMemory {
		s := f.newSlot("zero", t)
		f.zero(s, f.layout(t).size)
		return rep{s}
	}
	var r rep
	for _, lt := range f.leafTypes(t, shape{packet: packet}) {
		r = append(r, f.constant(lt, 0))
	}
	return r
}

func (f *fn) ret(in *ssa.Return) {
	var rets []*ir.Value
	for i, v := range in.Results {
		r := f.value(v)
		if f.outs[i] != nil {
			f.move(f.outs[i], r[0], f.layout(v.Type()).size)
			continue
		}
		want := f.returned(i)
		if want.packet && !f.isPacket(v) && !isNilConst(v) {
			f.fail(in.Pos(), subset.MixedSlices, "keep the two apart", "a packet slice and a plain slice are returned by one function")
		}
		types := f.leafTypes(v.Type(), want)
		for k, x := range r {
			rets = append(rets, f.convertLeaf(x, types[k]))
		}
	}
	f.cur.SetRet(f.pos, rets...)
}

// unop lowers the unary operators; loads are in memory.go.
func (f *fn) unop(in *ssa.UnOp) rep {
	switch in.Op {
	case token.MUL:
		if isFunc(in.X.Type()) {
			return f.value(in.X)
		}
		return f.load(f.addr(in.X), in.Type())
	case token.NOT:
		x := f.value(in.X)[0]
		return rep{f.op(ir.OpXor, ir.I8, x, f.constant(ir.I8, 1))}
	case token.SUB:
		x := f.value(in.X)[0]
		return rep{f.op(ir.OpNeg, x.Type, x)}
	case token.XOR:
		x := f.value(in.X)[0]
		return rep{f.op(ir.OpXor, x.Type, x, f.constant(x.Type, -1))}
	}
	f.fail(in.Pos(), subset.NoForm, "see docs/subset.md", "operator %s is not part of kernel Go", in.Op)
	return nil
}

// closure returns what a function literal captured, one after the other.
func (f *fn) closure(in *ssa.MakeClosure) rep {
	r := rep{}
	for _, b := range in.Bindings {
		r = append(r, f.value(b)...)
	}
	return r
}

// storeFunc lets a local variable of function type stand for what is assigned
// to it.
func (f *fn) storeFunc(in *ssa.Store) {
	if _, ok := in.Addr.(*ssa.Alloc); !ok || f.shapeOf(in.Val).fn == nil {
		f.fail(in.Pos(), subset.FuncChoice, "assign a function to a local variable once", "a function is stored where it can't be followed")
	}
	f.vals[in.Addr] = f.value(in.Val)
}
