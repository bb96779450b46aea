package source

import (
	"fmt"
	"go/types"
)

// findPointer looks for a part of t that is, or holds, an address: memory that
// leaves the program can't have any. It returns what it is and how to get
// there: "a string", "Event.Path". Both are empty if there is none.
func findPointer(t types.Type, path string) (what, where string) {
	switch u := t.Underlying().(type) {
	case *types.Basic:
		switch u.Kind() {
		case types.String:
			return "a string", path
		case types.UnsafePointer:
			return "a pointer", path
		}
	case *types.Pointer:
		return "a pointer", path
	case *types.Slice:
		return "a slice", path
	case *types.Map:
		return "a Go map", path
	case *types.Chan:
		return "a channel", path
	case *types.Signature:
		return "a function", path
	case *types.Interface:
		return "an interface", path
	case *types.Array:
		return findPointer(u.Elem(), path+"[]")
	case *types.Struct:
		for f := range u.Fields() {
			if what, where = findPointer(f.Type(), path+"."+f.Name()); what != "" {
				return what, where
			}
		}
	}
	return "", ""
}

// hole is padding inside a type.
type hole struct {
	size  int64
	after string // the field before it: "Key.Proto"
}

func (h *hole) String() string {
	return fmt.Sprintf("%d bytes of padding after %s", h.size, h.after)
}

// findHole returns the first padding in t; nil if there is none.
func findHole(t types.Type, path string, sizes types.Sizes) *hole {
	switch u := t.Underlying().(type) {
	case *types.Array:
		return findHole(u.Elem(), path+"[]", sizes)
	case *types.Struct:
		return structHole(u, path, sizes)
	}
	return nil
}

func structHole(s *types.Struct, path string, sizes types.Sizes) *hole {
	var fields []*types.Var
	for f := range s.Fields() {
		fields = append(fields, f)
	}
	offsets := append(sizes.Offsetsof(fields), sizes.Sizeof(s))
	for i, f := range fields {
		name := path + "." + f.Name()
		if h := findHole(f.Type(), name, sizes); h != nil {
			return h
		}
		if end := offsets[i] + sizes.Sizeof(f.Type()); end < offsets[i+1] {
			return &hole{offsets[i+1] - end, name}
		}
	}
	return nil
}

// typeName is how a message calls a type that belongs to package pkg.
func typeName(t types.Type, pkg *types.Package) string {
	return types.TypeString(t, types.RelativeTo(pkg))
}
