package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/cilium/ebpf"

	"github.com/waggle-bpf/waggle/compile"
)

// repeat is how often one timed round runs a program in the kernel.
const repeat = 200_000

// measure compiles, loads and runs both sides of a twin.
func measure(dir, name string, rounds int) (row, error) {
	r := row{name: name}
	sides := []struct {
		out     *figures
		compile func() ([]byte, error)
	}{
		{&r.go_, func() ([]byte, error) { return compileGo(goDir(dir, name)) }},
		{&r.c, func() ([]byte, error) { return compileC(filepath.Join(dir, "c", name+".c")) }},
	}
	progs := make([]*ebpf.Program, len(sides))
	for i, s := range sides {
		obj, err := s.compile()
		if err != nil {
			return r, err
		}
		coll, err := load(obj, s.out)
		if err != nil {
			return r, err
		}
		defer coll.Close()
		for _, p := range coll.Programs {
			progs[i] = p
		}
	}
	times := make([][]float64, len(sides))
	walls := make([][]float64, len(sides))
	for range rounds {
		for i, s := range sides {
			start := time.Now()
			if _, err := s.compile(); err != nil {
				return r, err
			}
			walls[i] = append(walls[i], float64(time.Since(start).Microseconds())/1000)
			ns, err := timeRun(progs[i])
			if err != nil {
				return r, err
			}
			times[i] = append(times[i], ns)
		}
	}
	for i, s := range sides {
		s.out.nanos, s.out.compileMS = median(times[i]), median(walls[i])
	}
	return r, nil
}

// elsewhere are the Go sides that are not below twins/, from the module's root.
var elsewhere = map[string]string{"httptrace": "examples/httptrace/kern"}

func goDir(dir, name string) string {
	if d := elsewhere[name]; d != "" {
		return filepath.Join(dir, "../..", d)
	}
	return filepath.Join(dir, "twins", name)
}

func compileGo(dir string) ([]byte, error) {
	obj, err := compile.Compile(context.Background(), compile.Config{Dir: dir})
	if err != nil {
		return nil, err
	}
	return obj.ELF, nil
}

func compileC(file string) ([]byte, error) {
	out, err := os.CreateTemp("", "twin-*.o")
	if err != nil {
		return nil, err
	}
	out.Close()
	defer os.Remove(out.Name())
	cmd := exec.Command("clang", "-O2", "-g", "-mcpu=v3", "-target", "bpf", "-Wno-everything",
		"-I/usr/include/x86_64-linux-gnu", "-I/usr/include/aarch64-linux-gnu", "-c", file, "-o", out.Name())
	if msg, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("clang: %w\n%s", err, msg)
	}
	return os.ReadFile(out.Name())
}

// load loads an object and reads the static figures of its program. Everything
// the program calls in the object counts with it.
func load(obj []byte, out *figures) (*ebpf.Collection, error) {
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(obj))
	if err != nil {
		return nil, err
	}
	if n := len(spec.Programs); n != 1 {
		return nil, fmt.Errorf("object has %d programs, not one", n)
	}
	for _, prog := range spec.Programs {
		for _, ins := range prog.Instructions {
			out.insns += float64(ins.Width())
		}
	}
	coll, err := ebpf.NewCollection(spec)
	if err != nil {
		return nil, err
	}
	for _, prog := range coll.Programs {
		if err := out.readInfo(prog); err != nil {
			coll.Close()
			return nil, err
		}
	}
	return coll, nil
}

// readInfo asks the kernel about a loaded program.
func (f *figures) readInfo(prog *ebpf.Program) error {
	info, err := prog.Info()
	if err != nil {
		return err
	}
	n, _ := info.VerifiedInstructions()
	f.verified = float64(n)
	size, _ := info.JitedSize()
	f.jited = float64(size)
	return nil
}

// timeRun runs a program on the test packet and returns nanoseconds per run.
// Kinds that can't be run so yield 1, which leaves the ratios alone.
func timeRun(p *ebpf.Program) (float64, error) {
	switch p.Type() {
	case ebpf.XDP, ebpf.SchedCLS, ebpf.SocketFilter:
	default:
		return 1, nil
	}
	_, per, err := p.Benchmark(testPacket(), repeat, nil)
	if err != nil {
		return 0, err
	}
	return float64(per.Nanoseconds()), nil
}
