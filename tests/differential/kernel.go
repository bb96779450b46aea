package differential

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/types"
	"maps"
	"path/filepath"
	"strings"

	"github.com/cilium/ebpf"

	"github.com/waggle-bpf/waggle/compile"
	"github.com/waggle-bpf/waggle/internal/faultinfo"
)

// kernelFunc is a function loaded into the kernel.
type kernelFunc struct {
	in, out layout
	coll    *ebpf.Collection
	inMem   *ebpf.Variable
	outMem  *ebpf.Variable
	sites   []faultinfo.Site
	faults  *ebpf.Map // nil if f can't fault
	packet  []byte
}

// outcome is what came of one call.
type outcome struct {
	fault fault  // zero if the function returned
	in    []byte // the arguments' memory afterwards
	out   []byte
}

// fault is what ended a call.
type fault struct {
	pos  string // "file.go:12"; empty if it is not in the subject's own code
	kind string
}

func (f fault) String() string {
	if f.kind == "" {
		return "no fault"
	}
	return strings.TrimPrefix(f.pos+": "+f.kind, ": ")
}

// kindNil is the one fault that Go's compiler may place earlier than the source
// does: among straight code it checks pointers whenever it suits.
const kindNil = "nil pointer dereference"

// matches compares a fault in the kernel with the native one.
func (f fault) matches(native fault) bool {
	return f.kind == native.kind && (f.pos == native.pos || f.pos == "" || f.kind == kindNil)
}

// codeStack is that of the diagnostic for a program that needs more stack than
// there is.
const codeStack = "W1210"

// compileFunc compiles f and its wrapper. Large arguments have no place on the
// stack.
func compileFunc(files map[string][]byte, pkg string, f *function, bound compile.LoopBound) (obj *compile.Object, err error) {
	all := maps.Clone(files)
	for modes := f.modes(); len(modes) > 0; modes = modes[:len(modes)-1] {
		all[wrapperFile] = f.wrapper(pkg, modes)
		obj, err = compile.Compile(context.Background(), compile.Config{Files: all, Check: true, Bound: bound})
		if !needsStack(err) {
			break
		}
	}
	return obj, err
}

// needsStack reports whether a program was refused because of its stack.
func needsStack(err error) bool {
	var refused compile.Diagnostics
	return errors.As(err, &refused) && refused[0].Code == codeStack
}

// loadFunc loads what compileFunc made.
func loadFunc(obj *compile.Object) (_ *kernelFunc, err error) {
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(obj.ELF))
	if err != nil {
		return nil, err
	}
	k := &kernelFunc{packet: make([]byte, 64)}
	if k.sites, err = faultinfo.ReadELF(bytes.NewReader(obj.ELF)); err != nil {
		return nil, err
	}
	if k.coll, err = ebpf.NewCollection(spec); err != nil {
		return nil, err
	}
	k.inMem, k.outMem = k.coll.Variables[inputVar], k.coll.Variables[outputVar]
	k.faults = k.coll.Maps[faultinfo.Map]
	k.in = layoutOf(variable(obj.Package, inputVar))
	k.out = layoutOf(variable(obj.Package, outputVar))
	return k, nil
}

func variable(pkg *types.Package, name string) types.Type { return pkg.Scope().Lookup(name).Type() }

func (k *kernelFunc) close() { k.coll.Close() }

// modes lists the programs that f has.
func (k *kernelFunc) modes() []mode {
	var ms []mode
	for m := range numModes {
		if k.coll.Programs[programs[m]] != nil {
			ms = append(ms, m)
		}
	}
	return ms
}

// run calls the function once.
func (k *kernelFunc) run(m mode, input []byte) (*outcome, error) {
	o := &outcome{in: make([]byte, k.in.size), out: make([]byte, k.out.size)}
	if k.inMem != nil {
		if err := k.inMem.Set(input); err != nil {
			return nil, err
		}
	}
	if err := k.outMem.Set(o.out); err != nil {
		return nil, err
	}
	if _, err := k.coll.Programs[programs[m]].Run(&ebpf.RunOptions{Data: k.packet}); err != nil {
		return nil, fmt.Errorf("run %s: %w", programs[m], err)
	}
	if err := k.outMem.Get(o.out); err != nil {
		return nil, err
	}
	copy(o.in, input)
	if k.inMem != nil {
		if err := k.inMem.Get(o.in); err != nil {
			return nil, err
		}
	}
	if o.out[k.doneOffset()] == 0 {
		var err error
		if o.fault, err = k.takeFault(); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// doneOffset is where the flag is that says that the function returned: last.
func (k *kernelFunc) doneOffset() int64 { return k.out.places[len(k.out.places)-1].off }

// takeFault finds the one counter that is not zero and clears it.
func (k *kernelFunc) takeFault() (found fault, err error) {
	if k.faults == nil {
		return found, errors.New("the program neither returned nor has a place to fault")
	}
	for i, s := range k.sites {
		var counts []uint64
		if err := k.faults.Lookup(uint32(i), &counts); err != nil {
			return found, fmt.Errorf("read fault counter: %w", err)
		}
		for _, n := range counts {
			if n == 0 {
				continue
			}
			if found.kind != "" || n != 1 {
				return found, fmt.Errorf("one run counted several faults: %s and %s (%d)", found, s, n)
			}
			found.kind = s.Kind
			if filepath.Base(s.File) == s.File {
				found.pos = fmt.Sprintf("%s:%d", s.File, s.Line)
			}
			clear(counts)
			if err := k.faults.Put(uint32(i), counts); err != nil {
				return found, fmt.Errorf("clear fault counter: %w", err)
			}
		}
	}
	if found.kind == "" {
		return found, errors.New("the program left early without counting a fault")
	}
	return found, nil
}
