package differential

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// A Program is a generated package with one exported function. Its package
// variables live on from call to call, on both sides.
type Program struct {
	subject *Subject
	files   map[string][]byte
}

// NewProgram makes a program of one source file.
func NewProgram(src []byte) (*Program, error) {
	files := map[string][]byte{"prog.go": src}
	s, err := parseSubject(files)
	if err != nil {
		return nil, err
	}
	return &Program{s, files}, nil
}

// A Mismatch is an input for which the two sides differ.
type Mismatch struct{ Func, Input, Diff string }

func (m *Mismatch) Error() string {
	return fmt.Sprintf("%s: input %s\n%s", m.Func, m.Input, m.Diff)
}

// batch is a set of programs and the calls of their functions.
type batch struct {
	programs []*Program
	calls    []*call
}

// call is a function and the inputs that it is called with.
type call struct {
	prog, index int // which function of which program
	f           *function
	kernel      *kernelFunc
	inputs      [][]byte
	want        []*outcome
	err         error
}

// ComparePrograms compares the functions of some programs, n inputs each. The
// errors are by program: nil, a *[Mismatch], or what the compiler, the kernel
// or the go command said.
func ComparePrograms(ctx context.Context, dir string, seed uint64, n int, programs ...*Program) ([]error, error) {
	b := &batch{programs: programs}
	defer b.close()
	for i, p := range programs {
		for k, f := range p.subject.funcs {
			c := &call{prog: i, index: k, f: f}
			c.err = c.prepare(p, newGenerator(seed+uint64(len(b.calls)), p.subject.words), n)
			b.calls = append(b.calls, c)
		}
	}
	if err := b.native(ctx, dir); err != nil {
		return nil, err
	}
	errs := make([]error, len(programs))
	for _, c := range b.calls {
		if c.err == nil {
			c.err = c.compare()
		}
		if errs[c.prog] == nil {
			errs[c.prog] = c.err
		}
	}
	return errs, nil
}

func (b *batch) close() {
	for _, c := range b.calls {
		if c.kernel != nil {
			c.kernel.close()
		}
	}
}

// prepare loads the function and makes inputs for it.
func (c *call) prepare(p *Program, g *generator, n int) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("compile %s: panic: %v", c.f.name, r)
		}
	}()
	obj, err := compileFunc(p.files, p.subject.name, c.f, p.subject.Bound)
	if err != nil {
		return fmt.Errorf("compile %s: %w", c.f.name, err)
	}
	if c.kernel, err = loadFunc(obj); err != nil {
		return fmt.Errorf("load %s: %w", c.f.name, verbose(err))
	}
	for range n {
		input := make([]byte, c.kernel.in.size)
		g.fill(c.kernel.in, input)
		c.inputs = append(c.inputs, input)
	}
	return nil
}

func (c *call) compare() error {
	for i, input := range c.inputs {
		got, err := c.kernel.run(inVariable, input)
		if err != nil {
			return err
		}
		if diff := c.kernel.difference(inVariable, c.want[i], got); diff != "" {
			return &Mismatch{c.f.name, c.kernel.in.format(input), diff}
		}
	}
	return nil
}

// native builds the programs with the go command and calls the functions there.
func (b *batch) native(ctx context.Context, dir string) error {
	files := map[string]string{"go.mod": "module native\n\ngo 1.26\n"}
	var imports, tables strings.Builder
	for i, p := range b.programs {
		pkg := fmt.Sprint("p", i)
		for name, src := range p.files {
			files[filepath.Join(pkg, name)] = string(src)
		}
		files[filepath.Join(pkg, wrapperFile)] = p.nativeWrapper()
		fmt.Fprintf(&imports, "\t%s \"native/%s\"\n", pkg, pkg)
		fmt.Fprintf(&tables, "\tcase %d:\n\t\te := %s.DiffTable[index]\n\t\treturn entry{e.In, e.Out, e.InSize, e.OutSize, e.Call}\n", i, pkg)
	}
	files["main.go"] = fmt.Sprintf(nativeMain, imports.String(), tables.String())
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(files[name]), 0o644); err != nil {
			return err
		}
	}
	bin := filepath.Join(dir, "native")
	build := exec.CommandContext(ctx, "go", "build", "-o", bin, ".")
	build.Dir = dir
	build.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build native side: %w\n%s", err, out)
	}
	run := exec.CommandContext(ctx, bin)
	run.Stdin = bytes.NewReader(b.requests())
	var stderr strings.Builder
	run.Stderr = &stderr
	out, err := run.Output()
	if err != nil {
		return fmt.Errorf("run native side: %w\n%s", err, stderr.String())
	}
	return b.answers(out)
}

// requests are the calls for the native side: program, function, input.
func (b *batch) requests() []byte {
	var buf []byte
	for _, c := range b.calls {
		for _, input := range c.inputs {
			buf = binary.LittleEndian.AppendUint32(buf, uint32(c.prog))
			buf = binary.LittleEndian.AppendUint32(buf, uint32(c.index))
			buf = append(buf, input...)
		}
	}
	return buf
}

// answers reads what the native side wrote: a fault's text and its length, the
// results, the arguments.
func (b *batch) answers(buf []byte) error {
	short := errors.New("the native side ended early")
	next := func(n int64) (part []byte) {
		if int64(len(buf)) < n {
			return nil
		}
		part, buf = buf[:n], buf[n:]
		return part
	}
	for _, c := range b.calls {
		for range c.inputs {
			head := next(4)
			if head == nil {
				return short
			}
			o := &outcome{}
			if text := string(next(int64(binary.LittleEndian.Uint32(head)))); text != "" {
				pos, message, _ := strings.Cut(text, " ")
				o.fault = fault{pos, kindOf(message)}
			}
			o.out, o.in = next(c.kernel.out.size), next(c.kernel.in.size)
			if o.in == nil {
				return short
			}
			c.want = append(c.want, o)
		}
	}
	return nil
}

// nativeWrapper is the file that the native side needs in a program's package.
func (p *Program) nativeWrapper() string {
	var b strings.Builder
	fmt.Fprintf(&b, "package %s\n\nimport \"unsafe\"\n\n", p.subject.name)
	for _, f := range p.subject.funcs {
		f.variables(&b, f.name)
	}
	b.WriteString("type DiffEntry struct {\n\tIn, Out unsafe.Pointer\n\tInSize, OutSize uintptr\n\tCall func()\n}\n\nvar DiffTable = []DiffEntry{\n")
	for _, f := range p.subject.funcs {
		in, out := inputVar+f.name, outputVar+f.name
		fmt.Fprintf(&b, "{unsafe.Pointer(&%s), unsafe.Pointer(&%s), unsafe.Sizeof(%s), unsafe.Sizeof(%s), func() {\n", in, out, in, out)
		f.call(&b, inVariable, f.name)
		b.WriteString("}},\n")
	}
	b.WriteString("}\n")
	return b.String()
}

// nativeMain is the main package of the native side.
const nativeMain = `package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"unsafe"

%s)

type entry struct {
	in, out         unsafe.Pointer
	inSize, outSize uintptr
	call            func()
}

func find(prog, index uint32) entry {
	switch prog {
%s	}
	panic("no such program")
}

func (e entry) run() (fault string) {
	defer func() {
		if r := recover(); r != nil {
			message := "panic"
			if err, ok := r.(runtime.Error); ok {
				message = err.Error()
			}
			fault = position() + " " + message
		}
	}()
	e.call()
	return ""
}

func position() string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	for {
		f, more := frames.Next()
		if strings.HasPrefix(f.Function, "native/") || !more {
			return fmt.Sprintf("%%s:%%d", filepath.Base(f.File), f.Line)
		}
	}
}

func main() {
	in, out := bufio.NewReader(os.Stdin), bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for {
		var head [8]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return
		}
		e := find(binary.LittleEndian.Uint32(head[:]), binary.LittleEndian.Uint32(head[4:]))
		args, results := unsafe.Slice((*byte)(e.in), e.inSize), unsafe.Slice((*byte)(e.out), e.outSize)
		io.ReadFull(in, args)
		clear(results)
		fault := e.run()
		binary.Write(out, binary.LittleEndian, uint32(len(fault)))
		out.WriteString(fault)
		out.Write(results)
		out.Write(args)
	}
}
`
