package object

import (
	"go/constant"
	"go/types"
	"math"
	"sort"

	"github.com/cilium/ebpf/btf"
	"golang.org/x/tools/go/types/typeutil"

	"github.com/waggle-bpf/waggle/internal/abi"
)

// converter turns Go types into BTF types. Identical Go types become the same
// BTF type.
type converter struct {
	home    string // import path of the package whose types go by their bare name
	sizes   types.Sizes
	btfName func(*types.TypeName) string // may be nil
	memo    typeutil.Map                 // types.Type -> btf.Type
	opaques map[string]btf.Type          // by name
	// open holds the typedefs being converted, as far as no struct lies
	// between them and the type at hand.
	open *typeutil.Map
}

func newConverter(home string, sizes types.Sizes, btfName func(*types.TypeName) string) *converter {
	if sizes == nil {
		sizes = types.SizesFor("gc", "amd64")
	}
	return &converter{
		home: home, sizes: sizes, btfName: btfName,
		opaques: make(map[string]btf.Type), open: new(typeutil.Map),
	}
}

var void = &btf.Void{}

// Integer types go by C's names, so that declarations which bpftool generates
// from BTF compile; loaders look at size and encoding only.
var (
	btfBool = &btf.Int{Name: "_Bool", Size: 1, Encoding: btf.Bool}
	btfU8   = &btf.Int{Name: "unsigned char", Size: 1}
	btfU16  = &btf.Int{Name: "unsigned short", Size: 2}
	btfU32  = &btf.Int{Name: "unsigned int", Size: 4}
	btfU64  = &btf.Int{Name: "unsigned long long", Size: 8}
	btfS8   = &btf.Int{Name: "signed char", Size: 1, Encoding: btf.Signed}
	btfS16  = &btf.Int{Name: "short", Size: 2, Encoding: btf.Signed}
	btfS32  = &btf.Int{Name: "int", Size: 4, Encoding: btf.Signed}
	btfS64  = &btf.Int{Name: "long long", Size: 8, Encoding: btf.Signed}
)

// basics maps Go's basic types. Kernel code cannot compute with floats, but a
// type shared with user space may contain them.
var basics = map[types.BasicKind]btf.Type{
	types.Bool:  btfBool,
	types.Uint8: btfU8, types.Uint16: btfU16, types.Uint32: btfU32, types.Uint64: btfU64,
	types.Int8: btfS8, types.Int16: btfS16, types.Int32: btfS32, types.Int64: btfS64,
	types.Int: btfS64, types.Uint: btfU64, types.Uintptr: btfU64,
	types.Float32: btfU32, types.Float64: btfU64,
	types.UnsafePointer: &btf.Pointer{Target: void},
}

// maxSize bounds what BTF can describe: offsets of members are 32 bits wide and
// count bits.
const maxSize = math.MaxUint32 / 8

// maxMembers is the largest number of members, a 16-bit field.
const maxMembers = math.MaxUint16

// convert returns the BTF type of t.
func (c *converter) convert(t types.Type) btf.Type {
	t = types.Unalias(t)
	if known := c.memo.At(t); known != nil {
		return known.(btf.Type)
	}
	switch t := t.(type) {
	case *types.Named:
		return c.named(t)
	case *types.Struct:
		return c.structOf("", t, t)
	}
	b := c.composite(t)
	c.memo.Set(t, b)
	return b
}

// composite converts the unnamed types other than structs.
func (c *converter) composite(t types.Type) btf.Type {
	switch t := t.(type) {
	case *types.Basic:
		if b := basics[t.Kind()]; b != nil {
			return b
		}
	case *types.Pointer:
		return &btf.Pointer{Target: c.target(t.Elem())}
	case *types.Array:
		if n := t.Len(); n <= math.MaxUint32 {
			return &btf.Array{Index: btfU32, Type: c.convert(t.Elem()), Nelems: uint32(n)}
		}
	}
	return c.opaque(t)
}

// target converts what a pointer points to. A type that is too large for BTF
// becomes void, and so does one that leads back to itself without a struct on
// the way (type P *P), which C cannot say.
func (c *converter) target(t types.Type) btf.Type {
	t = decay(t)
	if _, generic := t.(*types.TypeParam); generic || c.open.At(t) != nil || c.sizes.Sizeof(t) > maxSize {
		return void
	}
	return c.convert(t)
}

// decay turns an array of structs into the struct. To C an array is nothing
// without its element type, so that struct T { struct T (*p)[2]; }, the like of
// which Go allows, is an error there and a cycle to bpftool.
func decay(t types.Type) types.Type {
	elem := t
	for {
		a, ok := elem.Underlying().(*types.Array)
		if !ok {
			break
		}
		elem = a.Elem()
	}
	if _, ok := elem.Underlying().(*types.Struct); ok {
		return elem
	}
	return t
}

// opaque stands for a type without a C counterpart: only its size is told.
func (c *converter) opaque(t types.Type) btf.Type {
	name, size := "go_value", int64(8)
	switch u := t.Underlying().(type) {
	case *types.Basic:
		name, size = "go_"+u.Name(), c.sizes.Sizeof(u)
	case *types.Slice:
		name, size = "go_slice", c.sizes.Sizeof(u)
	case *types.Interface:
		if _, generic := t.(*types.TypeParam); !generic {
			name, size = "go_interface", c.sizes.Sizeof(u)
		}
	case *types.Signature:
		name = "go_func"
	case *types.Map:
		name = "go_map"
	case *types.Chan:
		name = "go_chan"
	}
	return c.bare(name, size)
}

// bare returns the struct of that name without members.
func (c *converter) bare(name string, size int64) btf.Type {
	if c.opaques[name] == nil {
		c.opaques[name] = &btf.Struct{Name: name, Size: uint32(size)}
	}
	return c.opaques[name]
}

// named converts a declared type: to a struct of its name, an enum if it is an
// integer type with constants, else to a typedef.
func (c *converter) named(t *types.Named) btf.Type {
	if ctype := contextType(t.Obj()); ctype != "" {
		return c.set(t, c.bare(ctype, 0))
	}
	name := c.declaredName(t)
	switch u := t.Underlying().(type) {
	case *types.Struct:
		return c.structOf(name, t, u)
	case *types.Basic:
		if e := c.enum(name, t, u); e != nil {
			return c.set(t, e)
		}
	}
	def := &btf.Typedef{Name: name}
	c.memo.Set(t, def) // before what it stands for, which may point back
	c.open.Set(t, true)
	def.Type = c.convert(t.Underlying())
	c.open.Delete(t)
	return def
}

func (c *converter) set(t types.Type, b btf.Type) btf.Type {
	c.memo.Set(t, b)
	return b
}

// declaredName is the name of t in BTF: what its //bpf:btf directive says, or
// made from the Go name.
func (c *converter) declaredName(t *types.Named) string {
	if c.btfName != nil {
		if name := c.btfName(t.Origin().Obj()); name != "" {
			return name
		}
	}
	return c.typeName(t)
}

// structOf converts a struct type with Go's layout; t is what it is known as.
// Blank fields are left out: to C they are padding.
func (c *converter) structOf(name string, t types.Type, s *types.Struct) btf.Type {
	size := c.sizes.Sizeof(s)
	b := &btf.Struct{Name: name, Size: uint32(size)}
	c.memo.Set(t, b) // before the fields, which may point back
	if size > maxSize || s.NumFields() > maxMembers {
		return b
	}
	fields := make([]*types.Var, s.NumFields())
	for i := range fields {
		fields[i] = s.Field(i)
	}
	offsets := c.sizes.Offsetsof(fields)
	outer := c.open
	c.open = new(typeutil.Map)
	defer func() { c.open = outer }()
	for i, f := range fields {
		if f.Name() == "_" {
			continue
		}
		b.Members = append(b.Members, btf.Member{
			Name:   cIdent(f.Name()),
			Type:   c.convert(f.Type()),
			Offset: btf.Bits(offsets[i] * 8),
		})
	}
	return b
}

// enum converts an integer type that has constants in its package; nil if t
// isn't one. Eight-byte enums need Linux 6.0 and stay typedefs.
func (c *converter) enum(name string, t *types.Named, u *types.Basic) btf.Type {
	size := c.sizes.Sizeof(u)
	if u.Info()&types.IsInteger == 0 || size > 4 || t.Obj().Pkg() == nil {
		return nil
	}
	values := c.enumerators(t)
	if len(values) == 0 || len(values) > maxMembers {
		return nil
	}
	return &btf.Enum{Name: name, Size: uint32(size), Signed: u.Info()&types.IsUnsigned == 0, Values: values}
}

// enumerators returns the package-level constants of type t, by value and name.
func (c *converter) enumerators(t *types.Named) []btf.EnumValue {
	scope := t.Obj().Pkg().Scope()
	var values []btf.EnumValue
	for _, name := range scope.Names() { // sorted
		k, ok := scope.Lookup(name).(*types.Const)
		if !ok || !types.Identical(k.Type(), t) {
			continue
		}
		if v, exact := constant.Int64Val(constant.ToInt(k.Val())); exact {
			values = append(values, btf.EnumValue{Name: c.constName(k), Value: uint64(v)})
		}
	}
	sort.SliceStable(values, func(i, j int) bool { return int64(values[i].Value) < int64(values[j].Value) })
	return values
}

// contextType returns the C name of a context type of package bpf/...; "" for
// any other type. The kernel knows contexts by that name; their fields are of
// no use to it.
func contextType(obj *types.TypeName) string {
	if obj.Pkg() == nil {
		return ""
	}
	return contextTypes[obj.Pkg().Path()+"."+obj.Name()]
}

// libraryPath is the import path that the table's context types are below.
const libraryPath = "github.com/waggle-bpf/waggle/bpf/"

var contextTypes = func() map[string]string {
	m := make(map[string]string)
	for _, k := range abi.ProgramKinds {
		if k.Context != "" {
			m[libraryPath+k.Context] = k.CType
		}
	}
	return m
}()

// isScalar reports whether the kernel would take b for a scalar.
func isScalar(b btf.Type) bool {
	switch b := btf.UnderlyingType(b).(type) {
	case *btf.Int:
		return b.Size <= 8
	case *btf.Enum:
		return true
	}
	return false
}
