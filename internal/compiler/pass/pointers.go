package pass

import (
	"go/token"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// PointerChoiceError says that a program picks a pointer out of an array on the
// stack by an index that depends on data. The verifier knows what lies at each
// place of the stack, but not what lies at one of several: to it that is a number.
type PointerChoiceError struct{ Pos token.Pos }

func (e *PointerChoiceError) Error() string {
	return "pointer, slice or string picked out of an array by an index that depends on data"
}

// checkPointers refuses loads of pointers that the verifier is going to take for
// numbers. An index that a loop counts is as good as a constant: the verifier
// walks through each iteration.
func checkPointers(m *ir.Module) error {
	for _, f := range m.Funcs {
		roots := findRoots(f)
		for _, b := range f.Blocks {
			for _, v := range b.Values {
				if v.Op != ir.OpLoad || v.Type != ir.Ptr {
					continue
				}
				root := roots[v.Args[0]]
				if root == nil || root.Op != ir.OpSlotAddr {
					continue
				}
				c := choice{roots: roots, seen: map[*ir.Value]bool{}}
				if c.pointer(v.Args[0]) {
					return &PointerChoiceError{v.Pos}
				}
			}
		}
	}
	return nil
}

// choice looks for data in the computation of an address.
type choice struct {
	roots map[*ir.Value]*ir.Value
	seen  map[*ir.Value]bool
}

// pointer reports whether the offset of p from its variable is data.
func (c *choice) pointer(p *ir.Value) bool {
	if c.seen[p] {
		return false
	}
	c.seen[p] = true
	switch p.Op {
	case ir.OpPtrAdd:
		return c.pointer(p.Args[0]) || c.number(p.Args[1])
	case ir.OpPhi:
		for _, a := range p.Args {
			if c.pointer(a) {
				return true
			}
		}
	}
	return false
}

// number reports whether x is computed from data: what is read from other memory
// than the stack, or comes from a helper. Of parameters the caller may know more.
func (c *choice) number(x *ir.Value) bool {
	if c.seen[x] {
		return false
	}
	c.seen[x] = true
	switch x.Op {
	case ir.OpLoad:
		root := c.roots[x.Args[0]]
		return root == nil || root.Op != ir.OpSlotAddr
	case ir.OpVolatile, ir.OpAtomic, ir.OpHelper, ir.OpPtrDiff, ir.OpPtrToInt:
		return true
	}
	for _, a := range x.Args {
		if a.Type != ir.Ptr && c.number(a) {
			return true
		}
	}
	return false
}
