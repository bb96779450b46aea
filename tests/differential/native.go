package differential

import (
	"fmt"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
)

// faultKinds maps the beginning of what the Go runtime says to the kernel's
// word for it.
var faultKinds = []struct{ message, kind string }{
	{"index out of range", "index out of range"},
	{"slice bounds out of range", "slice bounds out of range"},
	{"integer divide by zero", "integer divide by zero"},
	{"invalid memory address or nil pointer dereference", kindNil},
	{"negative shift amount", "negative shift amount"},
	{"cannot convert slice", "slice too short for array"},
}

// faultKind names a recovered panic.
func faultKind(r any) string {
	if err, ok := r.(runtime.Error); ok {
		return kindOf(err.Error())
	}
	return "panic"
}

// kindOf translates what the Go runtime says.
func kindOf(message string) string {
	for _, k := range faultKinds {
		if strings.Contains(message, k.message) {
			return k.kind
		}
	}
	return message
}

// nativeFunc calls a Go function with arguments from memory, as the wrapper in
// the kernel does.
type nativeFunc struct {
	f       *function
	fn      reflect.Value
	in, out layout
	// inFields and outFields are the offsets of the variables' fields.
	inType, outType reflect.Type
}

func newNativeFunc(f *function, fn reflect.Value, in, out layout) (*nativeFunc, error) {
	n := &nativeFunc{f: f, fn: fn, in: in, out: out}
	var fields []reflect.StructField
	field := func(name string, i int, t reflect.Type) {
		fields = append(fields, reflect.StructField{Name: fmt.Sprint(name, i), Type: t})
	}
	for i, p := range f.params {
		t := fn.Type().In(i)
		switch p.kind {
		case byValue:
			field(inputField, i, t)
		case bySlice:
			field(inputField, i, reflect.ArrayOf(sliceCap, t.Elem()))
			field(lengthField, i, reflect.TypeFor[uint8]())
		case byPointer:
			field(inputField, i, t.Elem())
			field(nilField, i, reflect.TypeFor[bool]())
		}
	}
	field("Pad", 0, reflect.TypeFor[uint8]())
	n.inType = reflect.StructOf(fields)
	fields = nil
	for i := range f.results {
		field(resultField, i, fn.Type().Out(i))
	}
	field(doneField, 0, reflect.TypeFor[uint32]())
	n.outType = reflect.StructOf(fields)
	if got := int64(n.inType.Size()); got != in.size {
		return nil, fmt.Errorf("the arguments take %d bytes natively, %d in the kernel", got, in.size)
	}
	return n, nil
}

// run calls the function once.
func (n *nativeFunc) run(input []byte) *outcome {
	in, out := reflect.New(n.inType), reflect.New(n.outType)
	copy(memory(in), input)
	o := &outcome{}
	o.fault = n.call(in.Elem(), out.Elem())
	o.in, o.out = memory(in), memory(out)
	return o
}

// memory is the bytes of what a pointer points to.
func memory(p reflect.Value) []byte {
	return reflect.SliceAt(reflect.TypeFor[byte](), p.UnsafePointer(), int(p.Type().Elem().Size())).Bytes()
}

func (n *nativeFunc) call(in, out reflect.Value) (f fault) {
	var args []reflect.Value
	for i, p := range n.f.params {
		stored := in.FieldByName(fmt.Sprint(inputField, i))
		switch p.kind {
		case bySlice:
			stored = stored.Slice(0, int(in.FieldByName(fmt.Sprint(lengthField, i)).Uint()))
		case byPointer:
			stored = stored.Addr()
			if in.FieldByName(fmt.Sprint(nilField, i)).Bool() {
				stored = reflect.Zero(stored.Type())
			}
		}
		args = append(args, stored)
	}
	defer func() {
		if r := recover(); r != nil {
			f = fault{panicPosition(packageOf(n.fn)), faultKind(r)}
		}
	}()
	for i, r := range n.fn.Call(args) {
		out.Field(i).Set(r)
	}
	out.FieldByName(doneField + "0").SetUint(1)
	return f
}

// panicPosition is the file and line of a package that panicked, seen from a
// deferred function: its innermost frame.
func panicPosition(pkg string) string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	for {
		f, more := frames.Next()
		if strings.HasPrefix(f.Function, pkg+".") {
			return fmt.Sprintf("%s:%d", filepath.Base(f.File), f.Line)
		}
		if !more {
			panic("BUG: the function that panicked is not on the stack")
		}
	}
}

// packageOf returns the import path of a function's package.
func packageOf(fn reflect.Value) string {
	name := runtime.FuncForPC(fn.Pointer()).Name()
	slash := strings.LastIndexByte(name, '/') + 1
	pkg, _, _ := strings.Cut(name[slash:], ".")
	return name[:slash] + pkg
}
