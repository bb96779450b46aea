// Package compile turns kernel packages, written in Go, into BPF objects. It
// needs nothing but the package's source: no clang, no kernel headers, not even
// a Go toolchain.
//
//	obj, err := compile.Compile(ctx, compile.Config{Dir: "./kern"})
//	if err != nil {
//		return err // a compile.Diagnostics prints file:line:col: message
//	}
//	os.WriteFile("kern.o", obj.ELF, 0o644)
//
// The language is described in docs/subset.md; the library that kernel
// packages import is below bpf/.
package compile

import (
	"context"
	"fmt"
	"go/token"
	"go/types"
	"io"
	"runtime"
	"slices"

	"github.com/waggle-bpf/waggle/internal/compiler/codegen"
	"github.com/waggle-bpf/waggle/internal/compiler/diag"
	"github.com/waggle-bpf/waggle/internal/compiler/ir"
	"github.com/waggle-bpf/waggle/internal/compiler/lower"
	"github.com/waggle-bpf/waggle/internal/compiler/object"
	"github.com/waggle-bpf/waggle/internal/compiler/pass"
	"github.com/waggle-bpf/waggle/internal/compiler/source"
	"github.com/waggle-bpf/waggle/internal/compiler/subset"
)

// Diagnostic is one complaint about the source, with position, stable code and
// way out. Diagnostics is what Compile returns for a program it refuses.
type (
	Diagnostic  = diag.Diagnostic
	Diagnostics = diag.List
)

// Config says what to compile.
type Config struct {
	// Dir is the directory of the kernel package, or a single Go file.
	Dir string
	// Files adds or replaces files by name; with an empty Dir they are the
	// whole package.
	Files map[string][]byte
	// Roots names functions that must be found and checked besides the
	// functions with a //bpf: directive.
	Roots []string
	// GOARCH is the target machine, which matters to build constraints and to
	// the registers that probes see: amd64 or arm64. Empty means the host's if it
	// runs Linux, else amd64.
	GOARCH string
	// Bound says which loops the kernel is to end when they run for long: loads
	// need Linux 6.9 then.
	Bound LoopBound
	// Check verifies every intermediate form; for tests.
	Check bool
	// Dump receives the intermediate code after the stage DumpPass ("all" for
	// every stage; see Stages), of the function DumpFunc only if that is set.
	Dump               io.Writer
	DumpPass, DumpFunc string
}

// LoopBound says which loops the kernel ends. The verifier must otherwise see by
// itself that a loop ends, by following every iteration, which is beyond it if the
// number of iterations depends on data. In a loop that the kernel ends it needs
// not; the end is a fault.
type LoopBound = ir.LoopBound

// The choices.
const (
	BoundNone LoopBound = ir.BoundNone
	// BoundUncounted leaves loops alone that count from one constant to another or
	// move through a slice.
	BoundUncounted LoopBound = ir.BoundUncounted
	BoundAll       LoopBound = ir.BoundAll
)

// Arches lists what Config.GOARCH may be.
func Arches() []string { return []string{"amd64", "arm64"} }

// arch is the target machine.
func (c Config) arch() string {
	switch {
	case c.GOARCH != "":
		return c.GOARCH
	case runtime.GOOS == "linux" && slices.Contains(Arches(), runtime.GOARCH):
		return runtime.GOARCH
	}
	return "amd64"
}

// position is where a package is of whose parts nothing is known.
func (c Config) position() token.Position { return token.Position{Filename: c.Dir} }

// Object is a compiled package.
type Object struct {
	// ELF is the BPF object file: what libbpf and cilium/ebpf load.
	ELF []byte
	// Faults lists the places where a program may still fault.
	Faults []Fault
	// Bounded is the number of loops that the kernel ends.
	Bounded int
	// Programs lists the entry points.
	Programs []Program
	// Arch is the only machine that the object is for, because its programs get
	// registers to see; empty if it is for all.
	Arch string
	// Package is the kernel package, for generators of bindings.
	Package *types.Package
	// Maps and Variables are the package's own maps and variables.
	Maps      []Variable
	Variables []Variable
}

// Fault is a place where a program may fault at run time.
type Fault struct {
	Pos token.Position
	// Kind is what goes wrong: "index out of range".
	Kind string
}

// Program is one entry point of an object.
type Program struct {
	Name string
	// Kind and Target are the directive's words.
	Kind, Target string
	// Insns is the number of instruction slots, subprograms not included.
	Insns int
}

// Variable is a package-level variable as the object shows it.
type Variable struct {
	// Name is the symbol in the object.
	Name string
	Type types.Type
	// Const variables are set before loading.
	Const bool
}

// Bug is a mistake of the compiler itself, with the position of what it was at.
type Bug = diag.Bug

// Compile compiles one kernel package. A refused program yields Diagnostics, one
// that the compiler fails at a *Bug.
func Compile(ctx context.Context, cfg Config) (_ *Object, err error) {
	defer diag.Catch(&err, cfg.position)
	pkg, err := load(cfg)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m, err := lower.Module(pkg)
	if err != nil {
		return nil, err
	}
	m.Bound = cfg.Bound
	if err := pass.Run(m, pass.Config{Check: cfg.Check, Dump: cfg.Dump, DumpPass: cfg.DumpPass, DumpFunc: cfg.DumpFunc}); err != nil {
		return nil, passDiagnostic(m, err)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	code, err := codegen.Module(m, codegen.Config{Check: cfg.Check, Dump: cfg.Dump, DumpPass: cfg.DumpPass, DumpFunc: cfg.DumpFunc})
	if err != nil {
		return nil, stackDiagnostic(m, err)
	}
	arch := machine(m, cfg)
	elf, err := object.Write(m, code, object.Options{
		Dir: pkg.Dir, Lines: pkg.Lines, Arch: arch,
		BTFName: func(n *types.TypeName) string { return pkg.BTFNames[n] },
	})
	if err != nil {
		return nil, fmt.Errorf("write object: %w", err)
	}
	obj := &Object{ELF: elf, Package: pkg.Types, Bounded: m.Bounded, Arch: arch}
	obj.describe(m, pkg)
	for i, f := range m.Funcs {
		if f.Prog != nil {
			n := 0
			for k := range code[i].Insns {
				n += code[i].Insns[k].Slots()
			}
			obj.Programs = append(obj.Programs, Program{f.Name, f.Prog.Kind.Name, f.Prog.Target, n})
		}
	}
	return obj, nil
}

// machine is the only one that the module's object is for; "" if it is for all.
func machine(m *ir.Module, cfg Config) string {
	for _, f := range m.Funcs {
		if f.Prog != nil && hasRegisters[f.Prog.Kind.Context] {
			return cfg.arch()
		}
	}
	return ""
}

// hasRegisters has the contexts whose layout is the machine's own.
var hasRegisters = map[string]bool{"trace.Regs": true, "trace.PerfEventContext": true}

// load finds, checks and prunes the package.
func load(cfg Config) (*source.Package, error) {
	pkg, err := source.Load(source.Config{
		Dir: cfg.Dir, Files: cfg.Files, Roots: cfg.Roots, GOARCH: cfg.arch(), Check: cfg.Check,
	})
	if err != nil {
		return nil, err
	}
	if err := subset.Check(pkg).Err(); err != nil {
		return nil, err
	}
	return pkg, nil
}

// Lookup returns a function of the package in dir and its position, after checking
// that it is kernel Go.
func Lookup(dir, name string) (_ *types.Func, _ token.Position, err error) {
	cfg := Config{Dir: dir, Roots: []string{name}}
	defer diag.Catch(&err, cfg.position)
	pkg, err := load(cfg)
	if err != nil {
		return nil, token.Position{}, err
	}
	fn := pkg.Types.Scope().Lookup(name).(*types.Func)
	return fn, pkg.Fset.Position(fn.Pos()), nil
}

// Stages returns the names that Config.DumpPass may have, in order.
func Stages() []string { return append(pass.Names(), codegen.Stages()...) }

func (o *Object) describe(m *ir.Module, pkg *source.Package) {
	for _, f := range m.Faults {
		o.Faults = append(o.Faults, Fault{m.Fset.Position(f.Pos), f.Kind.String()})
	}
	for _, v := range pkg.Maps {
		if v.Var.Pkg == pkg.SSA {
			o.Maps = append(o.Maps, Variable{Name: v.Name, Type: v.Var.Object().Type()})
		}
	}
	for _, v := range pkg.Globals {
		if v.Var.Pkg == pkg.SSA {
			o.Variables = append(o.Variables, Variable{Name: v.Name, Type: v.Type, Const: v.Const})
		}
	}
}
