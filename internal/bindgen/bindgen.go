// Package bindgen writes the Go file that ties a program to its kernel half: it
// embeds the BPF object and gives its programs, maps, variables and constants
// names and types. The types are the kernel package's own, imported, never
// copies, so the two halves can't drift apart.
//
// For a kernel package kern with a program Count and a map Requests:
//
//	k, err := LoadKern(load.Options{})    // the embedded object, in the kernel
//	defer k.Close()
//	_, err = k.AttachCount(load.Target{Interfaces: []string{"lo"}})
//	n, err := k.Requests.Get(addr)        // *load.Map[packet.Addr, uint64]
//
// Or in two steps, to set constants:
//
//	obj, err := OpenKern()                // checked, not yet in the kernel
//	err = obj.SetPort(80)                 // a //bpf:const variable
//	k, err := obj.Load(load.Options{})
//
// The maps and variables of packages that the kernel package imports are not its
// interface, and so not bound; load.MapOf and load.VariableOf reach them by their names
// in the object.
//
// What would hide a name of load.Handle gets another one: a map Links is k.LinksMap.
package bindgen

import (
	"bytes"
	_ "embed"
	"fmt"
	"go/format"
	"go/token"
	"go/types"
	"slices"
	"strings"
	"text/template"
	"unicode"
	"unicode/utf8"
)

// Input is what the file is about.
type Input struct {
	// Package is the name of the package the file belongs to, Path its import
	// path; it may be the kernel package itself.
	Package, Path string
	// Kern is the kernel package.
	Kern *types.Package
	// ObjectFile is the object's name in the directory of the file.
	ObjectFile string
	// Arch is the GOARCH of the machine that the object is for; empty if it is
	// for all.
	Arch string
	// Programs are the names of the object's programs.
	Programs []string
	// Maps are the package's maps, Vars its plain variables, Consts those
	// marked //bpf:const. As everywhere in Go, only exported ones are for others.
	Maps         []Map
	Vars, Consts []Variable
}

// Map is a map of the object.
type Map struct {
	Name string // in the object
	// Type is the Go type of the variable, one of package bpf's map types.
	Type types.Type
}

// Variable is a package variable in the object's data.
type Variable struct {
	Name string // in the object
	Type types.Type
}

//go:embed bindings.tmpl
var templateText string

var tmpl = template.Must(template.New("bindings").Parse(templateText))

// Generate writes the file, formatted as gofmt does.
func Generate(in *Input) ([]byte, error) {
	f := &file{
		Input: in,
		Name:  exported(in.Kern.Name()),
		used:  make(map[string]string),
		names: map[string]string{in.Package: "", "load": "", "ebpf": "", "errors": ""},
	}
	if err := f.fill(); err != nil {
		return nil, fmt.Errorf("make bindings of %s: %w", in.Kern.Path(), err)
	}
	var b bytes.Buffer
	if err := tmpl.Execute(&b, f); err != nil {
		return nil, fmt.Errorf("make bindings of %s: %w", in.Kern.Path(), err)
	}
	out, err := format.Source(b.Bytes())
	if err != nil {
		panic(fmt.Sprintf("BUG: bindings are no Go: %v\n%s", err, b.Bytes()))
	}
	return out, nil
}

// file is what the template sees.
type file struct {
	*Input
	Name     string // of the generated types
	Imports  []imported
	Fields   []field
	Streams  []field
	Setters  []setter
	Attach   []attacher
	NeedEBPF bool

	used  map[string]string // what already has a name in the generated type
	names map[string]string // import path by the name it is imported as
}

type imported struct{ Alias, Path string }

// field is an accessor: a field or method of the generated type and what opens it.
type field struct {
	GoName, Name, Type, Open string
	Doc                      string // what it is
}

type setter struct{ Name, Type string }

type attacher struct{ GoName, Name string }

// access says how a map type of package bpf is used from user space.
type access struct {
	typ, open string // with %s for the type arguments, if it has any
	stream    bool
	// index: the key is not a type argument but a number.
	index bool
}

var (
	typed  = access{typ: "*load.Map[%s]", open: "load.MapOf[%s]"}
	array  = access{typ: "*load.Map[%s]", open: "load.MapOf[%s]", index: true}
	percpu = access{typ: "*load.PerCPUMap[%s]", open: "load.PerCPUMapOf[%s]"}
	slots  = access{typ: "*load.PerCPUMap[%s]", open: "load.PerCPUMapOf[%s]", index: true}
	stream = access{typ: "*load.Stream[%s]", open: "load.Events[%s]", stream: true}

	sockhash = access{typ: "*load.SocketMap[%s]", open: "load.SocketMapOf[%s]"}
	sockmap  = access{typ: "*load.SocketMap[%s]", open: "load.SocketMapOf[%s]", index: true}
	programs = access{typ: "*load.ProgramMap", open: "load.ProgramMapOf"}
)

// accesses has the map types with a typed face; the others are given as
// cilium/ebpf's maps.
var accesses = map[string]access{
	"Hash": typed, "LRUHash": typed, "LPMTrie": typed,
	"Array":      array,
	"PerCPUHash": percpu, "LRUPerCPUHash": percpu,
	"PerCPUArray": slots,
	"RingBuf":     stream, "PerfEventArray": stream,
	"SockHash": sockhash, "SockMap": sockmap,
	"ProgArray": programs,
}

// hidden map types are the kernel half's own business.
var hidden = map[string]bool{"Scratch": true}

func (f *file) fill() error {
	for _, name := range f.Programs {
		goName, err := f.take("Attach"+exported(name), "program", name)
		if err != nil {
			return err
		}
		f.Attach = append(f.Attach, attacher{goName, name})
	}
	for _, m := range f.Maps {
		if !token.IsExported(m.Name) {
			continue
		}
		if err := f.addMap(m); err != nil {
			return fmt.Errorf("map %s: %w", m.Name, err)
		}
	}
	for _, v := range f.Vars {
		if !token.IsExported(v.Name) {
			continue
		}
		typ, err := f.typeName(v.Type)
		if err != nil {
			return fmt.Errorf("variable %s: %w", v.Name, err)
		}
		goName, err := f.take(v.Name, "variable", v.Name)
		if err != nil {
			return err
		}
		f.Fields = append(f.Fields, field{goName, v.Name, "*load.Variable[" + typ + "]", "load.VariableOf[" + typ + "]", "variable"})
	}
	for _, c := range f.Consts {
		if !token.IsExported(c.Name) {
			continue
		}
		typ, err := f.typeName(c.Type)
		if err != nil {
			return fmt.Errorf("constant %s: %w", c.Name, err)
		}
		f.Setters = append(f.Setters, setter{c.Name, typ})
	}
	slices.SortFunc(f.Imports, func(a, b imported) int { return strings.Compare(a.Path, b.Path) })
	return nil
}

func (f *file) addMap(m Map) error {
	named, ok := types.Unalias(m.Type).(*types.Named)
	if !ok {
		return fmt.Errorf("type %s is not a map type", m.Type)
	}
	kind := named.Obj().Name()
	if hidden[kind] {
		return nil
	}
	goName, err := f.take(m.Name, "map", m.Name)
	if err != nil {
		return err
	}
	how, ok := accesses[kind]
	if !ok {
		f.NeedEBPF = true
		f.Fields = append(f.Fields, field{goName, m.Name, "*ebpf.Map", "", "map"})
		return nil
	}
	var args []string
	if how.index {
		args = append(args, "uint32")
	}
	for i := range named.TypeArgs().Len() {
		arg, err := f.typeName(named.TypeArgs().At(i))
		if err != nil {
			return err
		}
		args = append(args, arg)
	}
	list := strings.Join(args, ", ")
	entry := field{goName, m.Name, withArgs(how.typ, list), withArgs(how.open, list), "map"}
	if how.stream {
		f.Streams = append(f.Streams, entry)
	} else {
		f.Fields = append(f.Fields, entry)
	}
	return nil
}

// withArgs puts type arguments into a type that takes any.
func withArgs(typ, args string) string { return strings.Replace(typ, "%s", args, 1) }

// handleNames are the names that the generated type has from the load.Handle in it,
// and that one's own.
var handleNames = []string{
	"Attach", "AttachAll", "Close", "Faults", "Handle", "Links", "Lost", "Map", "Object", "Pin", "Program", "TakeOver",
	"VerifierLog", "VerifierStats",
}

// take gives a name of the generated type to one thing only. What would hide a name
// of the handle is called after what it is, too: the map Links becomes LinksMap.
func (f *file) take(want, kind, name string) (goName string, err error) {
	if slices.Contains(handleNames, want) {
		want += exported(kind)
	}
	what := kind + " " + name
	if other, taken := f.used[want]; taken {
		return "", fmt.Errorf("%s and %s would both be called %s", other, what, want)
	}
	f.used[want] = what
	return want, nil
}

// typeName writes a type for the generated file and remembers what to import.
func (f *file) typeName(t types.Type) (string, error) {
	var private string
	var visit func(types.Type)
	visit = func(t types.Type) {
		switch t := types.Unalias(t).(type) {
		case *types.Named:
			obj := t.Obj()
			if obj.Pkg() != nil && obj.Pkg().Path() != f.Path && !obj.Exported() {
				private = obj.Name()
			}
			for i := range t.TypeArgs().Len() {
				visit(t.TypeArgs().At(i))
			}
		case *types.Array:
			visit(t.Elem())
		case *types.Struct:
			for i := range t.NumFields() {
				if v := t.Field(i); v.Pkg() != nil && v.Pkg().Path() != f.Path && !v.Exported() {
					private = v.Name()
				}
				visit(t.Field(i).Type())
			}
		}
	}
	if visit(t); private != "" {
		return "", fmt.Errorf("%s is not exported, so package %s can't name it", private, f.Package)
	}
	return types.TypeString(t, f.qualify), nil
}

// qualify names a package and imports it.
func (f *file) qualify(p *types.Package) string {
	if p.Path() == f.Path {
		return ""
	}
	alias := p.Name()
	for i := 2; ; i++ {
		path, taken := f.names[alias]
		if taken && path == p.Path() {
			return alias
		}
		if !taken {
			break
		}
		alias = fmt.Sprint(p.Name(), i)
	}
	f.names[alias] = p.Path()
	shown := alias
	if p.Name() == lastElement(p.Path()) && alias == p.Name() {
		shown = ""
	}
	f.Imports = append(f.Imports, imported{shown, p.Path()})
	return alias
}

func lastElement(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// exported makes a name of the kernel package one that others can use.
func exported(name string) string {
	r, size := utf8.DecodeRuneInString(name)
	return string(unicode.ToUpper(r)) + name[size:]
}
