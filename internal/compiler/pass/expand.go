package pass

import "github.com/waggle-bpf/waggle/internal/compiler/ir"

// maxStraightBytes is the size up to which copies and clears are straight code.
const maxStraightBytes = 512

// expandMemory turns moves and clears into loads and stores, and splits
// accesses to the stack that are not aligned: the verifier tracks the stack in
// aligned slots and refuses others, whatever the machine can do.
func expandMemory(f *ir.Func) {
	expandLoops(f)
	for _, b := range f.Blocks {
		e := expander{b: b}
		for _, v := range b.Values {
			e.value(v)
		}
		b.Values = e.out
	}
	clean(f)
}

type expander struct {
	b   *ir.Block
	out []*ir.Value
}

func (e *expander) emit(op ir.Op, t ir.Type, like *ir.Value, args ...*ir.Value) *ir.Value {
	x := e.b.NewValue(op, t, like.Pos, args...)
	e.out = append(e.out, x)
	return x
}

func (e *expander) constant(t ir.Type, n int64, like *ir.Value) *ir.Value {
	x := e.emit(ir.OpConst, t, like)
	x.Int = ir.SignExtend(n, t)
	return x
}

func (e *expander) value(v *ir.Value) {
	switch v.Op {
	case ir.OpMove:
		e.move(v)
	case ir.OpZero:
		e.zero(v)
	case ir.OpLoad:
		if n := safeWidth(v.Args[0], v.Int, loadType(v).Size()); n < loadType(v).Size() {
			e.splitLoad(v, n)
			return
		}
		e.out = append(e.out, v)
	case ir.OpStore:
		if n := safeWidth(v.Args[0], v.Int, storeType(v).Size()); n < storeType(v).Size() {
			e.splitStore(v, n)
			return
		}
		e.out = append(e.out, v)
	default:
		e.out = append(e.out, v)
	}
}

// load emits a load of n bytes as a legal value.
func (e *expander) load(like, p *ir.Value, off, n int64) *ir.Value {
	t := ir.IntOfSize(n)
	x := e.emit(ir.OpLoad, t, like, p)
	x.Int = off
	if narrow(t) {
		x.Type, x.Aux = ir.I32, t
	}
	return x
}

// store emits a store of the low n bytes of x.
func (e *expander) store(like, p *ir.Value, off, n int64, x *ir.Value) {
	st := e.emit(ir.OpStore, ir.Void, like, p, x)
	st.Int, st.Aux = off, ir.IntOfSize(n)
}

// move copies in the widest pieces that both sides allow.
func (e *expander) move(v *ir.Value) {
	dst, src := v.Args[0], v.Args[1]
	for at := int64(0); at < v.Int; {
		n := min(safeWidth(dst, at, 8), safeWidth(src, at, 8))
		for n > v.Int-at {
			n /= 2
		}
		e.store(v, dst, at, n, e.load(v, src, at, n))
		at += n
	}
}

func (e *expander) zero(v *ir.Value) {
	size := v.Aux.(int64)
	for at := int64(0); at < size; {
		n := safeWidth(v.Args[0], v.Int+at, 8)
		for n > size-at {
			n /= 2
		}
		t := ir.I64
		if n < 8 {
			t = ir.I32
		}
		e.store(v, v.Args[0], v.Int+at, n, e.constant(t, 0, v))
		at += n
	}
}

// splitLoad reads a misaligned word in pieces of n bytes.
func (e *expander) splitLoad(v *ir.Value, n int64) {
	size := loadType(v).Size()
	t := v.Type
	if t == ir.Ptr {
		t = ir.I64
	}
	var acc *ir.Value
	for at := int64(0); at < size; at += n {
		x := e.load(v, v.Args[0], v.Int+at, n)
		if x.Type != t {
			x = e.emit(ir.OpZext, t, v, x)
		}
		if at > 0 {
			x = e.emit(ir.OpShl, t, v, x, e.constant(t, 8*at, v))
			x = e.emit(ir.OpOr, t, v, acc, x)
		}
		acc = x
	}
	op := ir.OpCopy
	if v.Type == ir.Ptr {
		op = ir.OpIntToPtr
	}
	v.Reset(op, acc)
	e.out = append(e.out, v)
}

// splitStore writes a misaligned word in pieces of n bytes.
func (e *expander) splitStore(v *ir.Value, n int64) {
	size, x := storeType(v).Size(), v.Args[1]
	if x.Type == ir.Ptr {
		x = e.emit(ir.OpPtrToInt, ir.I64, v, x)
	}
	for at := int64(0); at < size; at += n {
		part := x
		if at > 0 {
			part = e.emit(ir.OpLShr, x.Type, v, x, e.constant(x.Type, 8*at, v))
		}
		e.store(v, v.Args[0], v.Int+at, n, part)
	}
}

// expandLoops turns large moves and clears into loops over 8-byte words,
// followed by straight code for the rest.
func expandLoops(f *ir.Func) {
	for i := 0; i < len(f.Blocks); i++ {
		for _, v := range f.Blocks[i].Values {
			if size := bulkSize(v); size > maxStraightBytes {
				bulkLoop(f, v, size)
				break
			}
		}
	}
}

func bulkSize(v *ir.Value) int64 {
	switch v.Op {
	case ir.OpMove:
		return v.Int
	case ir.OpZero:
		return v.Aux.(int64)
	}
	return 0
}

// bulkLoop makes v cover the first 8-byte word and puts it into a loop; what
// does not fill a word follows behind.
func bulkLoop(f *ir.Func, v *ir.Value, size int64) {
	head := v.Block
	tail := splitAfter(f, v)
	head.Values = head.Values[:len(head.Values)-1]
	loop := f.NewBlock()
	zero := head.Append(ir.OpConst, ir.I64, v.Pos)
	head.SetJump(loop)
	i := loop.Append(ir.OpPhi, ir.I64, v.Pos, zero)
	args := make([]*ir.Value, len(v.Args))
	for k, a := range v.Args {
		args[k] = loop.Append(ir.OpPtrAdd, ir.Ptr, v.Pos, a, i)
	}
	word := loop.Append(v.Op, ir.Void, v.Pos, args...)
	setBulk(word, v, 0, 8)
	eight := loop.Append(ir.OpConst, ir.I64, v.Pos)
	eight.Int = 8
	next := loop.Append(ir.OpAdd, ir.I64, v.Pos, i, eight)
	limit := loop.Append(ir.OpConst, ir.I64, v.Pos)
	limit.Int = size &^ 7
	more := loop.Append(ir.OpULt, ir.I32, v.Pos, next, limit)
	loop.SetIf(more, loop, tail, v.Pos)
	i.Args = append(i.Args, next)
	if rest := size & 7; rest != 0 {
		restore := make([]*ir.Value, 0, len(tail.Values)+4)
		args := make([]*ir.Value, len(v.Args))
		for k, a := range v.Args {
			off := tail.NewValue(ir.OpConst, ir.I64, v.Pos)
			off.Int = size &^ 7
			args[k] = tail.NewValue(ir.OpPtrAdd, ir.Ptr, v.Pos, a, off)
			restore = append(restore, off, args[k])
		}
		r := tail.NewValue(v.Op, ir.Void, v.Pos, args...)
		setBulk(r, v, 0, rest)
		tail.Values = append(append(restore, r), tail.Values...)
	}
}

func setBulk(word, v *ir.Value, off, size int64) {
	if v.Op == ir.OpMove {
		word.Int = size
	} else {
		word.Int, word.Aux = v.Int+off, size
	}
}
