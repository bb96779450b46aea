// Package harness wraps a function of a kernel package in a program that can be
// run once: a source file, added to the package, with a variable for the
// arguments, one for the results, and an XDP program that calls the function.
//
// The arguments pass through memory rather than as constants, so that the
// function is compiled as it is for anybody.
package harness

import (
	"bytes"
	"errors"
	"fmt"
	"go/types"
	"maps"
	"slices"

	"github.com/waggle-bpf/waggle/internal/cli/govalue"
)

// Names that the generated file declares in the kernel package.
const (
	Program = "waggleExec"
	Args    = "waggleExecArgs"
	Results = "waggleExecResults"
	// File is the name of the generated file.
	File = "waggle_exec_harness.go"
)

const (
	xdpPath = "github.com/waggle-bpf/waggle/bpf/xdp"
	done    = "Done" // the field of Results that is 1 after the call
)

// Harness is the wrapping of one call.
type Harness struct {
	pkg     string // the kernel package's name
	name    string
	imports map[string]string // alias by path
	home    *types.Package    // the kernel package; nil if the signature doesn't tell
	args    layout
	results layout
	// forms says how the call takes each argument from memory.
	forms []string
	data  []byte
}

// layout is the memory of a variable: a struct with a field for each value.
type layout struct {
	types   []types.Type
	offsets []int64
	size    int64
}

// New wraps the call of a function of the package called pkg, with the arguments
// as written on a command line. Its error tells what is wrong with them or why
// such a function can't be called.
func New(pkg, name string, sig *types.Signature, args []string) (*Harness, error) {
	if err := callable(sig); err != nil {
		return nil, fmt.Errorf("call %s: %w", name, err)
	}
	params := sig.Params()
	if len(args) != params.Len() {
		return nil, fmt.Errorf("call %s: %d arguments given, %s%s takes %d", name, len(args), name, text(params), params.Len())
	}
	h := &Harness{pkg: pkg, name: name, imports: make(map[string]string), home: home(sig)}
	var values [][]byte
	for i, arg := range args {
		p := params.At(i)
		value, err := govalue.Parse(p.Type(), arg)
		if err != nil {
			return nil, fmt.Errorf("call %s: argument %s: %w", name, title(p, i), err)
		}
		typ, form := stored(p.Type(), len(value))
		h.args.types = append(h.args.types, typ)
		h.forms = append(h.forms, form)
		values = append(values, value)
	}
	h.args.lay()
	h.data = make([]byte, h.args.size)
	for i, value := range values {
		copy(h.data[h.args.offsets[i]:], value)
	}
	for i := range sig.Results().Len() {
		h.results.types = append(h.results.types, sig.Results().At(i).Type())
	}
	h.results.types = append(h.results.types, types.Typ[types.Uint32]) // done
	h.results.lay()
	return h, nil
}

// The forms of arguments, for fmt: with the variable and the index of the field.
const (
	asIs    = "%s.F%d"
	sliced  = "%s.F%d[:]"
	emptied = "%s.F%d[:0]"
)

// stored is the type as which an argument lies in memory: that of the parameter,
// or for a slice of n bytes an array. An empty slice has a byte there too: it is
// not nil, and objects don't get along with variables of no size.
func stored(t types.Type, n int) (types.Type, string) {
	s, ok := t.Underlying().(*types.Slice)
	switch {
	case !ok:
		return t, asIs
	case n == 0:
		return types.NewArray(s.Elem(), 1), emptied
	}
	return types.NewArray(s.Elem(), int64(n)), sliced
}

// callable tells why a function can't be called from a command line.
func callable(sig *types.Signature) error {
	switch {
	case sig.TypeParams() != nil:
		return errors.New("it is generic; call it from a function that names the types")
	case sig.Variadic():
		return errors.New("it is variadic")
	}
	for i := range sig.Params().Len() {
		if p := sig.Params().At(i); !govalue.Writable(p.Type()) {
			// Parse has the words for it.
			_, err := govalue.Parse(p.Type(), "")
			return fmt.Errorf("parameter %s: %w", title(p, i), err)
		}
	}
	for i := range sig.Results().Len() {
		if r := sig.Results().At(i); !govalue.Readable(r.Type()) {
			_, err := govalue.Format(r.Type(), nil)
			return fmt.Errorf("result %s: %w", title(r, i), err)
		}
	}
	return nil
}

// home is the package of a function, which its parameters and results know.
func home(sig *types.Signature) *types.Package {
	for _, t := range []*types.Tuple{sig.Params(), sig.Results()} {
		if t.Len() > 0 {
			return t.At(0).Pkg()
		}
	}
	return nil
}

// title names a parameter or result for people.
func title(v *types.Var, i int) string {
	if v.Name() == "" || v.Name() == "_" {
		return fmt.Sprint(i + 1)
	}
	return fmt.Sprintf("%d (%s)", i+1, v.Name())
}

func text(t *types.Tuple) string {
	return types.TypeString(t, func(p *types.Package) string { return p.Name() })
}

// lay computes the offsets as Go does for a struct.
func (l *layout) lay() {
	fields := make([]*types.Var, len(l.types))
	for i, t := range l.types {
		fields[i] = types.NewField(0, nil, fmt.Sprint("F", i), t, false)
	}
	l.offsets = govalue.Sizes.Offsetsof(fields)
	l.size = govalue.Sizes.Sizeof(types.NewStruct(fields, nil))
}

// Data is the content of the variable Args; empty if there are none, and then
// there is no such variable.
func (h *Harness) Data() []byte { return h.data }

// ResultSize is the size of the variable Results in bytes.
func (h *Harness) ResultSize() int { return int(h.results.size) }

// Source is the file to add to the kernel package.
func (h *Harness) Source() []byte {
	// The types first: naming them collects the imports.
	var decls, params, results bytes.Buffer
	if len(h.data) > 0 {
		fmt.Fprintf(&decls, "var %s struct {\n", Args)
		for i, t := range h.args.types {
			fmt.Fprintf(&decls, "\tF%d %s\n", i, h.typeName(t))
		}
		fmt.Fprintf(&decls, "}\n\n")
	}
	fmt.Fprintf(&decls, "var %s struct {\n", Results)
	last := len(h.results.types) - 1
	for i, t := range h.results.types[:last] {
		fmt.Fprintf(&decls, "\tF%d %s\n", i, h.typeName(t))
		if i > 0 {
			results.WriteString(", ")
		}
		fmt.Fprintf(&results, "%s.F%d", Results, i)
	}
	if last > 0 {
		results.WriteString(" = ")
	}
	fmt.Fprintf(&decls, "\t%s uint32\n}\n", done)
	for i, form := range h.forms {
		if i > 0 {
			params.WriteString(", ")
		}
		fmt.Fprintf(&params, form, Args, i)
	}

	var b bytes.Buffer
	fmt.Fprintf(&b, "package %s\n\nimport waggleXDP %q\n", h.pkg, xdpPath)
	for _, path := range slices.Sorted(maps.Keys(h.imports)) {
		fmt.Fprintf(&b, "import %s %q\n", h.imports[path], path)
	}
	fmt.Fprintf(&b, "\n%s\n//bpf:xdp\nfunc %s(ctx *waggleXDP.Context) waggleXDP.Action {\n", decls.Bytes(), Program)
	fmt.Fprintf(&b, "\t%s%s(%s)\n", results.String(), h.name, params.String())
	fmt.Fprintf(&b, "\t%s.%s = 1\n\treturn waggleXDP.Pass\n}\n", Results, done)
	return b.Bytes()
}

// typeName writes a type in the generated file and remembers what to import.
func (h *Harness) typeName(t types.Type) string {
	return types.TypeString(t, func(p *types.Package) string {
		if p == h.home {
			return ""
		}
		alias, ok := h.imports[p.Path()]
		if !ok {
			alias = fmt.Sprintf("waggleImport%d", len(h.imports))
			h.imports[p.Path()] = alias
		}
		return alias
	})
}

// Values reads the results, one text each, from the content of the variable
// Results after the program ran. It is false if the call did not return.
func (h *Harness) Values(data []byte) ([]string, bool, error) {
	if int64(len(data)) < h.results.size {
		return nil, false, fmt.Errorf("read results of %s: %d bytes of %d", h.name, len(data), h.results.size)
	}
	var out []string
	for i, t := range h.results.types {
		s, err := govalue.Format(t, data[h.results.offsets[i]:])
		if err != nil {
			return nil, false, fmt.Errorf("read results of %s: %w", h.name, err)
		}
		out = append(out, s)
	}
	last := len(out) - 1
	return out[:last], out[last] == "1", nil
}
