package regalloc_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"github.com/waggle-bpf/waggle/internal/compiler/mach"
	"github.com/waggle-bpf/waggle/internal/compiler/mach/machtest"
	"github.com/waggle-bpf/waggle/internal/compiler/regalloc"
	"github.com/waggle-bpf/waggle/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// TestKernel compares what the interpreter makes of a function with virtual
// registers with what the kernel makes of the finished code. That the verifier
// takes the code is half of the test.
func TestKernel(t *testing.T) {
	testkit.RequireRoot(t)
	shapes := []machtest.Shape{
		{Vars: 4, Stmts: 30, Calls: 6, Depth: 2, Kernel: true},
		{Vars: 8, Stmts: 30, Calls: 4, Depth: 1, Kernel: true},
		{Vars: 14, Stmts: 40, Depth: 1, Kernel: true},
	}
	for _, s := range shapes {
		for seed := range uint64(30) {
			f, ctx := random(seed, s)
			text := f.String()
			want, _ := machtest.Run(f, ctx)
			if _, err := regalloc.Allocate(f); err != nil {
				t.Fatal(err)
			}
			c, err := f.Layout()
			if err != nil {
				t.Fatal(err)
			}
			r0, memory := runInKernel(t, c, ctx)
			if r0 != uint32(want.R0) || memory != want.Memory {
				t.Fatalf("%+v, seed %d: kernel returned %#x and %x, want %#x and %x\n%s\n%v",
					s, seed, r0, memory, uint32(want.R0), want.Memory, text, c)
			}
		}
	}
}

// runInKernel runs c once as a syscall program, whose context may be any memory.
func runInKernel(t *testing.T, c *mach.Code, ctx [machtest.Ctx]byte) (uint32, [machtest.Ctx]byte) {
	t.Helper()
	insns, err := asm.AppendInstructions(nil, bytes.NewReader(encode(c)), binary.LittleEndian, "linux")
	if err != nil {
		t.Fatal(err)
	}
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.Syscall, Flags: 1 << 4, // BPF_F_SLEEPABLE
		Instructions: insns, License: "Dual MIT/GPL",
	})
	if err != nil {
		t.Fatalf("%v\n%v", err, c)
	}
	defer prog.Close()
	var out [machtest.Ctx]byte
	r0, err := prog.Run(&ebpf.RunOptions{Context: ctx, ContextOut: &out})
	if err != nil {
		t.Fatal(err)
	}
	return r0, out
}

// encode writes c, which has no symbols, as the kernel reads it.
func encode(c *mach.Code) []byte {
	var out []byte
	slot := func(op mach.Opcode, dst, src mach.Reg, off int16, imm int32) {
		out = append(out, byte(op), byte(dst)|byte(src)<<4)
		out = binary.LittleEndian.AppendUint16(out, uint16(off))
		out = binary.LittleEndian.AppendUint32(out, uint32(imm))
	}
	for _, i := range c.Insns {
		slot(i.Op, i.Dst, i.Src, i.Off, int32(i.Imm))
		if i.Op == mach.LDIMM64 {
			slot(0, 0, 0, 0, int32(i.Imm>>32))
		}
	}
	return out
}
