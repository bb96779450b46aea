package differential

import (
	"fmt"
	"go/types"
	"strings"
)

// Names in the generated files.
const (
	inputVar    = "DiffIn"
	outputVar   = "DiffOut"
	wrapperFile = "zz_wrapper.go"
	inputField  = "A" // an argument, or the array behind a slice
	lengthField = "N" // the length of a slice
	nilField    = "Z" // whether a pointer is nil
	resultField = "R"
	doneField   = "Done" // 1 once the function returned
)

// sliceCap is the number of elements behind every slice; no power of two, as
// those hide masks.
const sliceCap = 20

// mode says where the memory is that a function gets addresses of.
type mode uint8

const (
	inVariable mode = iota
	onStack
	numModes
)

// programs are the names of the wrappers by mode.
var programs = [numModes]string{"DiffVariable", "DiffStack"}

// modes are those that differ for f.
func (f *function) modes() []mode {
	for _, p := range f.params {
		if p.kind != byValue {
			return []mode{inVariable, onStack}
		}
	}
	return []mode{inVariable}
}

// variables declares the memory for the arguments and the results.
func (f *function) variables(b *strings.Builder, suffix string) {
	fmt.Fprintf(b, "var %s%s struct {\n", inputVar, suffix)
	for i, p := range f.params {
		switch p.kind {
		case byValue:
			fmt.Fprintf(b, "\t%s%d %s\n", inputField, i, p.typ)
		case bySlice:
			fmt.Fprintf(b, "\t%s%d [%d]%s\n\t%s%d uint8\n", inputField, i, sliceCap, p.typ, lengthField, i)
		case byPointer:
			fmt.Fprintf(b, "\t%s%d %s\n\t%s%d bool\n", inputField, i, p.typ, nilField, i)
		}
	}
	// The object has no variables without a size.
	fmt.Fprintf(b, "\t_ uint8\n}\n\nvar %s%s struct {\n", outputVar, suffix)
	for i, r := range f.results {
		fmt.Fprintf(b, "\t%s%d %s\n", resultField, i, r)
	}
	fmt.Fprintf(b, "\t%s uint32\n}\n\n", doneField)
}

// call writes the statements that call f and store what it returns.
func (f *function) call(b *strings.Builder, m mode, suffix string) {
	var before, after, args strings.Builder
	in := inputVar + suffix
	for i, p := range f.params {
		if i > 0 {
			args.WriteString(", ")
		}
		stored := fmt.Sprintf("%s.%s%d", in, inputField, i)
		if m == onStack && p.kind != byValue {
			fmt.Fprintf(&before, "\ta%d := %s\n", i, stored)
			fmt.Fprintf(&after, "\t%s = a%d\n", stored, i)
			stored = fmt.Sprint("a", i)
		}
		switch p.kind {
		case byValue:
			args.WriteString(stored)
		case bySlice:
			fmt.Fprintf(&args, "%s[:%s.%s%d]", stored, in, lengthField, i)
		case byPointer:
			fmt.Fprintf(&before, "\tp%d := &%s\n\tif %s.%s%d {\n\t\tp%d = nil\n\t}\n", i, stored, in, nilField, i, i)
			fmt.Fprint(&args, "p", i)
		}
	}
	var results []string
	for i := range f.results {
		results = append(results, fmt.Sprintf("%s%s.%s%d", outputVar, suffix, resultField, i))
	}
	b.WriteString(before.String())
	b.WriteString("\t" + strings.Join(results, ", "))
	if len(results) > 0 {
		b.WriteString(" = ")
	}
	fmt.Fprintf(b, "%s(%s)\n%s\t%s%s.%s = 1\n", f.name, args.String(), after.String(), outputVar, suffix, doneField)
}

// wrapper is the source file that makes programs of f, one for each mode.
func (f *function) wrapper(pkg string, modes []mode) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "package %s\n\nimport waggleXDP \"github.com/waggle-bpf/waggle/bpf/xdp\"\n\n", pkg)
	f.variables(&b, "")
	for _, m := range modes {
		fmt.Fprintf(&b, "//bpf:xdp\nfunc %s(*waggleXDP.Context) waggleXDP.Action {\n", programs[m])
		f.call(&b, m, "")
		b.WriteString("\treturn waggleXDP.Pass\n}\n\n")
	}
	return []byte(b.String())
}

// place is a scalar, or a run of bytes, in one of the variables.
type place struct {
	kind      placeKind
	off, size int64
}

type placeKind uint8

const (
	placeInt placeKind = iota
	placeBool
	placeBytes  // an array of bytes
	placeLength // of a slice
	placeNil    // of a pointer
)

// layout is where the scalars of a variable lie, and its size.
type layout struct {
	places []place
	size   int64
}

var sizes = types.SizesFor("gc", "amd64")

// layoutOf lays out one of the variables of a wrapper.
func layoutOf(t types.Type) layout {
	l := layout{size: sizes.Sizeof(t)}
	l.add(t, 0, "")
	return l
}

func (l *layout) add(t types.Type, off int64, field string) {
	switch u := t.Underlying().(type) {
	case *types.Struct:
		l.addStruct(u, off)
	case *types.Array:
		elem := sizes.Sizeof(u.Elem())
		if b, ok := u.Elem().Underlying().(*types.Basic); ok && b.Kind() == types.Uint8 && u.Len() > 1 {
			l.places = append(l.places, place{placeBytes, off, u.Len()})
			return
		}
		for i := range u.Len() {
			l.add(u.Elem(), off+i*elem, "")
		}
	case *types.Basic:
		kind := placeInt
		switch {
		case strings.HasPrefix(field, lengthField):
			kind = placeLength
		case strings.HasPrefix(field, nilField):
			kind = placeNil
		case u.Info()&types.IsBoolean != 0:
			kind = placeBool
		}
		l.places = append(l.places, place{kind, off, sizes.Sizeof(u)})
	default:
		panic("BUG: a function under comparison can't take or return " + t.String())
	}
}

// addStruct adds the fields that Go compares: not those named _.
func (l *layout) addStruct(u *types.Struct, off int64) {
	fields := make([]*types.Var, u.NumFields())
	for i := range fields {
		fields[i] = u.Field(i)
	}
	offsets := sizes.Offsetsof(fields)
	for i, f := range fields {
		if f.Name() != "_" {
			l.add(f.Type(), off+offsets[i], f.Name())
		}
	}
}
