package source

import (
	"encoding/binary"
	"go/ast"
	"go/constant"
	"go/types"
	"math"
)

// maxGlobal bounds one variable: a data section is the one value of an array map.
const maxGlobal = 1 << 28

// readGlobal evaluates a variable's initial value; nil if that can't be done,
// which has then been reported.
func (l *loader) readGlobal(v *types.Var) *Global {
	name := typeName(v.Type(), v.Pkg())
	if kind := holdsMap(v.Type()); kind != "" {
		l.refuse(v.Pos(), codeNestedMap, "variable %s holds a bpf.%s", v.Name(), kind)
		return nil
	}
	if what, where := findPointer(v.Type(), name); what != "" {
		if where == name {
			l.refuse(v.Pos(), codeGlobalPointer, "variable %s is %s", v.Name(), what)
		} else {
			l.refuse(v.Pos(), codeGlobalPointer, "variable %s holds %s: %s", v.Name(), what, where)
		}
		return nil
	}
	if countLocks(v.Type()) > 0 {
		l.refuse(v.Pos(), codeSpinLock, "variable %s holds a bpf.SpinLock", v.Name())
		return nil
	}
	size := l.sizes.Sizeof(v.Type())
	if size > maxGlobal {
		l.refuse(v.Pos(), codeGlobalSize, "variable %s has %d bytes, the limit is %d", v.Name(), size, maxGlobal)
		return nil
	}
	g := &Global{Type: v.Type(), Pos: v.Pos()}
	s := l.reached.where[v]
	_, g.Const = find(directives(s.gen.Doc, s.node.(*ast.ValueSpec).Doc), "const")
	if value := l.initialValue(v); value != nil {
		e := encoder{info: l.info, sizes: l.sizes, mem: make([]byte, size)}
		if bad := e.put(0, v.Type(), value); bad != nil {
			l.refuse(bad.Pos(), codeNotConstant, "the initial value of variable %s is not constant", v.Name())
			return nil
		}
		if !allZero(e.mem) {
			g.Init = e.mem
		}
	}
	return g
}

func allZero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}

// holdsMap returns the name of a map type inside t; "" if there is none.
func holdsMap(t types.Type) string {
	if kind, _ := mapType(t); kind != nil {
		return kind.GoName
	}
	switch u := t.Underlying().(type) {
	case *types.Pointer:
		kind, _ := mapType(u.Elem())
		if kind != nil {
			return kind.GoName
		}
	case *types.Array:
		return holdsMap(u.Elem())
	case *types.Struct:
		for f := range u.Fields() {
			if kind := holdsMap(f.Type()); kind != "" {
				return kind
			}
		}
	}
	return ""
}

// encoder lays constant expressions out in memory as the kernel will see them.
type encoder struct {
	info  *types.Info
	sizes types.Sizes
	mem   []byte
}

// put writes x, of type t, at off. It returns the part of x that is not
// constant; nil if all is.
func (e *encoder) put(off int64, t types.Type, x ast.Expr) ast.Expr {
	x = ast.Unparen(x)
	tv := e.info.Types[x]
	if tv.Value != nil {
		e.putConst(off, t, tv.Value)
		return nil
	}
	switch x := x.(type) {
	case *ast.CompositeLit:
		switch u := t.Underlying().(type) {
		case *types.Struct:
			return e.putStruct(off, u, x)
		case *types.Array:
			return e.putArray(off, u, x)
		}
	case *ast.CallExpr:
		if e.info.Types[x.Fun].IsType() { // a conversion
			return e.put(off, t, x.Args[0])
		}
	}
	return x
}

func (e *encoder) putStruct(off int64, s *types.Struct, lit *ast.CompositeLit) ast.Expr {
	var fields []*types.Var
	index := make(map[string]int)
	for f := range s.Fields() {
		index[f.Name()] = len(fields)
		fields = append(fields, f)
	}
	offsets := e.sizes.Offsetsof(fields)
	for i, elt := range lit.Elts {
		if kv, ok := elt.(*ast.KeyValueExpr); ok {
			i, elt = index[kv.Key.(*ast.Ident).Name], kv.Value
		}
		if bad := e.put(off+offsets[i], fields[i].Type(), elt); bad != nil {
			return bad
		}
	}
	return nil
}

func (e *encoder) putArray(off int64, a *types.Array, lit *ast.CompositeLit) ast.Expr {
	size := e.sizes.Sizeof(a.Elem())
	i := int64(0)
	for _, elt := range lit.Elts {
		if kv, ok := elt.(*ast.KeyValueExpr); ok {
			i, elt = intValue(e.info.Types[kv.Key].Value), kv.Value
		}
		if bad := e.put(off+i*size, a.Elem(), elt); bad != nil {
			return bad
		}
		i++
	}
	return nil
}

// complexParts has the types of the two halves of complex numbers, which lie in
// memory one behind the other.
var complexParts = map[types.BasicKind]types.Type{
	types.Complex64:  types.Typ[types.Float32],
	types.Complex128: types.Typ[types.Float64],
}

func (e *encoder) putConst(off int64, t types.Type, c constant.Value) {
	if part := complexParts[t.Underlying().(*types.Basic).Kind()]; part != nil {
		e.putConst(off, part, constant.Real(c))
		e.putConst(off+e.sizes.Sizeof(part), part, constant.Imag(c))
		return
	}
	var bits uint64
	switch c.Kind() {
	case constant.Bool:
		if constant.BoolVal(c) {
			bits = 1
		}
	default:
		bits = numberBits(t.Underlying().(*types.Basic), c)
	}
	var le [8]byte
	binary.LittleEndian.PutUint64(le[:], bits)
	copy(e.mem[off:off+e.sizes.Sizeof(t)], le[:])
}

func numberBits(t *types.Basic, c constant.Value) uint64 {
	f, _ := constant.Float64Val(c)
	switch t.Kind() {
	case types.Float32:
		return uint64(math.Float32bits(float32(f)))
	case types.Float64:
		return math.Float64bits(f)
	}
	return uint64(intValue(c))
}
