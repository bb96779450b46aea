package lower

import (
	"fmt"
	"go/types"
	"strings"

	"golang.org/x/tools/go/ssa"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
	"github.com/waggle-bpf/waggle/internal/compiler/subset"
)

// shape is what must be known of a value beyond its type, because code depends
// on it: whether a slice or string lies in the packet, and which function a
// function value calls. Functions are lowered once for each combination of
// shapes they are called with.
type shape struct {
	packet bool
	// fn is what a function value, or a variable that holds one, calls; free
	// are the shapes of the variables it captured.
	fn   *ssa.Function
	free []shape
}

func (s shape) isZero() bool { return !s.packet && s.fn == nil }

// key is equal for equal shapes.
func (s shape) key() string {
	switch {
	case s.packet:
		return "p"
	case s.fn == nil:
		return "-"
	}
	return fmt.Sprintf("%p(%s)", s.fn, shapesKey(s.free))
}

func shapesKey(list []shape) string {
	keys := make([]string, len(list))
	for i, s := range list {
		keys[i] = s.key()
	}
	return strings.Join(keys, ",")
}

// inferShapes finds out the shapes of a function's values from those of its
// parameters and captured variables. Named packet types say so themselves; a
// plain []byte lies in the packet if it was converted from one that does, cut
// from one, or passed in or returned as one.
func (f *fn) inferShapes(free, params []shape) {
	for i, v := range f.src.FreeVars {
		f.shapes[v] = free[i]
	}
	for i, p := range f.src.Params {
		f.shapes[p] = params[i]
	}
	for changed := true; changed; {
		changed = false
		for _, b := range f.src.Blocks {
			for _, in := range b.Instrs {
				v, ok := in.(ssa.Value)
				if !ok || !hasShape(v.Type()) || !f.shapes[v].isZero() {
					continue
				}
				if s := f.define(v); !s.isZero() {
					f.shapes[v] = s
					changed = true
				}
			}
		}
	}
}

// hasShape reports whether values of type t need one.
func hasShape(t types.Type) bool { return isSliceOrString(t) || isFunc(t) }

func isSliceOrString(t types.Type) bool {
	switch u := t.Underlying().(type) {
	case *types.Slice:
		return true
	case *types.Basic:
		return u.Info()&types.IsString != 0
	}
	return false
}

// isFunc reports whether t is a function type or that of a variable of one.
func isFunc(t types.Type) bool {
	t = t.Underlying()
	if p, ok := t.(*types.Pointer); ok {
		t = p.Elem().Underlying()
	}
	_, ok := t.(*types.Signature)
	return ok
}

// shapeOf returns the shape of v; zero where it needs none.
func (f *fn) shapeOf(v ssa.Value) shape {
	if fn, ok := v.(*ssa.Function); ok {
		return shape{fn: fn}
	}
	if s := f.shapes[v]; !s.isZero() {
		return s
	}
	return shape{packet: f.m.isPacketType(v.Type())}
}

// isPacket reports whether v is a packet slice or string.
func (f *fn) isPacket(v ssa.Value) bool { return f.shapeOf(v).packet }

// define derives the shape of v from its operands.
func (f *fn) define(v ssa.Value) shape {
	if f.m.isPacketType(v.Type()) {
		return shape{packet: true}
	}
	switch v := v.(type) {
	case *ssa.ChangeType:
		return f.shapeOf(v.X)
	case *ssa.Convert:
		return f.shapeOf(v.X)
	case *ssa.Slice:
		if isSliceOrString(v.X.Type()) {
			return f.shapeOf(v.X)
		}
	case *ssa.UnOp: // reads a variable of function type
		if isFunc(v.X.Type()) {
			return f.shapeOf(v.X)
		}
	case *ssa.MakeClosure:
		return f.closureShape(v)
	case *ssa.Alloc:
		return f.funcVariable(v)
	case *ssa.Phi:
		for _, e := range v.Edges {
			if s := f.shapeOf(e); !s.isZero() {
				return s
			}
		}
	case *ssa.Call:
		return f.resultShapes(v)[0]
	case *ssa.Extract:
		if call, ok := v.Tuple.(*ssa.Call); ok {
			return f.resultShapes(call)[v.Index]
		}
	}
	return shape{}
}

func (f *fn) closureShape(v *ssa.MakeClosure) shape {
	s := shape{fn: v.Fn.(*ssa.Function)}
	for _, b := range v.Bindings {
		bound := f.shapeOf(b)
		if isFunc(b.Type()) && bound.fn == nil {
			return shape{} // not known yet
		}
		s.free = append(s.free, bound)
	}
	return s
}

// funcVariable returns the shape of what is stored in a local variable of
// function type. Such a variable takes no memory: it stands for the one function
// that is ever assigned to it.
func (f *fn) funcVariable(a *ssa.Alloc) shape {
	if !isFunc(a.Type()) {
		return shape{}
	}
	var s shape
	for _, r := range *a.Referrers() {
		st, ok := r.(*ssa.Store)
		if !ok || st.Addr != a {
			continue
		}
		if !s.isZero() && f.shapeOf(st.Val).key() != s.key() {
			f.failFunc(a)
		}
		s = f.shapeOf(st.Val)
	}
	return s
}

// failFunc refuses a function value that depends on control flow.
func (f *fn) failFunc(v ssa.Value) {
	f.fail(v.Pos(), subset.FuncChoice, "call the functions in the branches of an if or switch", "which function is called depends on the way the program takes")
}

// resultShapes returns the shapes of the results of a call, lowering the callee
// if need be.
func (f *fn) resultShapes(call *ssa.Call) []shape {
	none := make([]shape, max(1, call.Call.Signature().Results().Len()))
	target := f.target(&call.Call)
	if target.fn == nil || f.lowering(target.fn) != nil || !hasShapedResult(target.fn) {
		return none
	}
	inst := f.m.instance(f, target, f.argShapes(&call.Call), call.Pos())
	if inst.results == nil {
		return none
	}
	return inst.results
}

func hasShapedResult(fn *ssa.Function) bool {
	res := fn.Signature.Results()
	for i := range res.Len() {
		if hasShape(res.At(i).Type()) {
			return true
		}
	}
	return false
}

// target returns the shape of what a call calls; its fn is nil if unknown.
func (f *fn) target(c *ssa.CallCommon) shape {
	if c.IsInvoke() {
		return shape{}
	}
	if fn, ok := c.Value.(*ssa.Function); ok {
		return shape{fn: fn}
	}
	return f.shapeOf(c.Value)
}

func (f *fn) argShapes(c *ssa.CallCommon) []shape {
	shapes := make([]shape, len(c.Args))
	for i, a := range c.Args {
		if hasShape(a.Type()) {
			shapes[i] = f.shapeOf(a)
		}
	}
	return shapes
}

// leafTypes returns the machine types of a value of type t and the given shape.
func (f *fn) leafTypes(t types.Type, s shape) []ir.Type {
	switch {
	case s.fn != nil:
		var ts []ir.Type
		for i, v := range s.fn.FreeVars {
			ts = append(ts, f.leafTypes(v.Type(), s.free[i])...)
		}
		return ts
	case f.layout(t).inMemory:
		return []ir.Type{ir.Ptr}
	case s.packet:
		return []ir.Type{ir.Ptr, ir.Ptr, ir.I64}
	}
	lay := f.layout(t)
	ts := make([]ir.Type, len(lay.leaves))
	for i, l := range lay.leaves {
		ts[i] = l.typ
	}
	return ts
}
