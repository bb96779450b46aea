package lower

import (
	"go/types"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// leaf is one scalar of a flattened Go value.
type leaf struct {
	off int64
	typ ir.Type
}

// Limits of what is kept as leaves; anything larger lives in a slot. Structs
// may be wide, because most of their leaves are never read; a wide array is
// copied as a whole, for which memory is the better place.
const (
	maxFlatSize    = 320
	maxFlatLeaves  = 40
	maxArrayLeaves = 8
)

// layout says how values of a Go type are represented.
type layout struct {
	size, align int64
	leaves      []leaf // nil if inMemory
	inMemory    bool
}

// layouts computes and remembers layouts.
type layouts struct {
	sizes  types.Sizes
	packet func(types.Type) bool
	memo   map[types.Type]*layout
}

func (l *layouts) of(t types.Type) *layout {
	if have, ok := l.memo[t]; ok {
		return have
	}
	lay := &layout{}
	if tuple, ok := t.(*types.Tuple); ok {
		panic("BUG: layout of a tuple " + tuple.String())
	}
	lay.size, lay.align = l.sizes.Sizeof(t), l.sizes.Alignof(t)
	l.memo[t] = lay
	lay.inMemory = true
	if lay.size < 0 || lay.size > maxFlatSize { // less than none does not fit in an int64
		return lay
	}
	if leaves, ok := l.flatten(nil, t, 0); ok && len(leaves) <= maxFlatLeaves {
		lay.inMemory, lay.leaves = false, leaves
	}
	return lay
}

func (l *layouts) flatten(out []leaf, t types.Type, off int64) ([]leaf, bool) {
	switch u := t.Underlying().(type) {
	case *types.Basic:
		return l.flattenBasic(out, u, off)
	case *types.Pointer, *types.Signature, *types.Interface, *types.Map, *types.Chan:
		return append(out, leaf{off, ir.Ptr}), true
	case *types.Slice:
		second := ir.I64
		if l.packet(t) {
			second = ir.Ptr
		}
		return append(out, leaf{off, ir.Ptr}, leaf{off + 8, second}, leaf{off + 16, ir.I64}), true
	case *types.Struct:
		return l.flattenStruct(out, u, off)
	case *types.Array:
		return l.flattenArray(out, u, off)
	}
	return nil, false
}

func (l *layouts) flattenBasic(out []leaf, b *types.Basic, off int64) ([]leaf, bool) {
	switch {
	case b.Info()&(types.IsInteger|types.IsBoolean) != 0:
		return append(out, leaf{off, ir.IntOfSize(l.sizes.Sizeof(b))}), true
	case b.Kind() == types.UnsafePointer || b.Kind() == types.UntypedNil:
		return append(out, leaf{off, ir.Ptr}), true
	case b.Info()&types.IsString != 0:
		return append(out, leaf{off, ir.Ptr}, leaf{off + 8, ir.I64}), true
	}
	return nil, false
}

func (l *layouts) flattenStruct(out []leaf, s *types.Struct, off int64) ([]leaf, bool) {
	fields := make([]*types.Var, s.NumFields())
	for i := range fields {
		fields[i] = s.Field(i)
	}
	offsets := l.sizes.Offsetsof(fields)
	ok := true
	for i, f := range fields {
		if out, ok = l.flatten(out, f.Type(), off+offsets[i]); !ok || len(out) > maxFlatLeaves {
			return nil, false
		}
	}
	return out, true
}

// flattenArray keeps elements of four bytes and more apart and packs smaller
// ones into the widest words, because arrays of bytes are mostly copied and
// compared whole: addresses, names, hashes.
func (l *layouts) flattenArray(out []leaf, a *types.Array, off int64) ([]leaf, bool) {
	size, before := l.sizes.Sizeof(a.Elem()), len(out)
	if b, ok := a.Elem().Underlying().(*types.Basic); ok && b.Info()&(types.IsInteger|types.IsBoolean) != 0 && size < 4 {
		for rest := size * a.Len(); rest > 0; {
			n := int64(8)
			for n > rest {
				n /= 2
			}
			out = append(out, leaf{off, ir.IntOfSize(n)})
			off, rest = off+n, rest-n
		}
		return out, len(out)-before <= maxArrayLeaves/2
	}
	ok := true
	for i := int64(0); i < a.Len() && size > 0; i++ {
		if out, ok = l.flatten(out, a.Elem(), off+i*size); !ok || len(out)-before > maxArrayLeaves {
			return nil, false
		}
	}
	return out, true
}

// fieldRange returns which leaves of struct type s make up field i, and its
// offset.
func (l *layouts) fieldRange(s *types.Struct, i int) (from, to int, off int64) {
	fields := make([]*types.Var, s.NumFields())
	for k := range fields {
		fields[k] = s.Field(k)
	}
	offsets := l.sizes.Offsetsof(fields)
	for k := 0; k < i; k++ {
		from += len(l.of(fields[k].Type()).leaves)
	}
	return from, from + len(l.of(fields[i].Type()).leaves), offsets[i]
}
