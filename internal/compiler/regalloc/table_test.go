package regalloc_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
	"github.com/waggle-bpf/waggle/internal/compiler/mach"
	"github.com/waggle-bpf/waggle/internal/compiler/mach/machtest"
	"github.com/waggle-bpf/waggle/internal/compiler/regalloc"
)

// tests are functions before and after allocation.
var tests = []struct{ name, in, want string }{
	{"arguments and result share registers with values", `
			v32 = r1
			v33 = *(u64 *)(v32 +0)
			v34 = fp -8
			*(u64 *)(v34 +0) = v33
			r1 = v33
			r2 = v34
			call #1 (2)
			v35 = r0
			v36 = v35
			v36 += 1
			r0 = v36
			exit`, `
			r1 = *(u64 *)(r1 +0)
			r2 = fp -8
			*(u64 *)(r2 +0) = r1
			call #1 (2)
			r0 += 1
			exit`},
	{"the two sides of a phi share a register", `
			v32 = r1
			v33 = 0
			v34 = 0
		b1: depth 1
			v35 = *(u64 *)(v32 +0)
			v36 = v34
			v36 += v35
			v37 = v33
			v37 += 1
			v33 = v37
			v34 = v36
			if v33 < 10 goto b1
		b2:
			r0 = v34
			exit`, `
			r2 = 0
			r0 = 0
		b1: depth 1
			r3 = *(u64 *)(r1 +0)
			r0 += r3
			r2 += 1
			if r2 < 10 goto b1
		b2:
			exit`},
	{"registers that hold equal values share", `
			v32 = r1
			v33 = 0
			v34 = 0
		b1: depth 1
			v35 = v33
			v35 += 1
			v33 = v35
			v34 = v35
			if v35 < 10 goto b1
		b2:
			v34 += v32
			r0 = v34
			exit`, `
			r0 = 0
		b1: depth 1
			r0 += 1
			if r0 < 10 goto b1
		b2:
			r0 += r1
			exit`},
	{"operands are swapped to save a move", `
			v32 = *(u64 *)(r1 +0)
			v33 = *(u64 *)(r1 +8)
			v34 = v32
			v34 += v33
			v35 = v34
			v35 *= v32
			r0 = v35
			exit`, `
			r2 = *(u64 *)(r1 +0)
			r0 = *(u64 *)(r1 +8)
			r0 += r2
			r0 *= r2
			exit`},
	{"atomics that fetch", `
			v32 = r1
			v33 = *(u64 *)(v32 +0)
			v34 = v33
			v34 = atomic_fetch_add((u64 *)(v32 +8), v34)
			r0 = v34
			v35 = v33
			r0 = atomic_cmpxchg((u64 *)(v32 +16), r0, v35)
			v36 = r0
			v36 += v33
			r0 = v36
			exit`, `
			r2 = *(u64 *)(r1 +0)
			r0 = r2
			r0 = atomic_fetch_add((u64 *)(r1 +8), r0)
			r0 = atomic_cmpxchg((u64 *)(r1 +16), r0, r2)
			r0 += r2
			exit`},
	{"constants and addresses are computed again", `
			v32 = *(u64 *)(r1 +0)
			v33 = *(u64 *)(r1 +8)
			v34 = *(u64 *)(r1 +16)
			v35 = *(u64 *)(r1 +24)
			v36 = 7
			v37 = map m ll
			v38 = fp -8
			r1 = v37
			r2 = v38
			call #1 (2)
			r1 = v37
			r2 = v38
			*(u64 *)(v38 +0) = v36
			call #1 (2)
			v32 += v33
			v32 += v34
			v32 += v35
			v32 += v36
			r0 = v32
			exit`, `
			r6 = *(u64 *)(r1 +0)
			r7 = *(u64 *)(r1 +8)
			r8 = *(u64 *)(r1 +16)
			r9 = *(u64 *)(r1 +24)
			r1 = map m ll
			r2 = fp -8
			call #1 (2)
			r1 = map m ll
			r2 = fp -8
			r0 = 7
			*(u64 *)(r2 +0) = r0
			call #1 (2)
			r6 += r7
			r6 += r8
			r6 += r9
			r0 = 7
			r6 += r0
			r0 = r6
			exit`},
	{"a value is stored and reloaded once for many uses", `
			v32 = *(u64 *)(r1 +0)
			v33 = *(u64 *)(r1 +8)
			v34 = *(u64 *)(r1 +16)
			v35 = *(u64 *)(r1 +24)
			v36 = *(u64 *)(r1 +32)
			v32 += v36
			v33 += v36
			v34 ^= v36
			v35 *= v36
			call #1 (0)
			v32 += v36
			v33 += v36
			v34 ^= v36
			v35 *= v36
			v32 += v33
			v32 += v34
			v32 += v35
			r0 = v32
			exit`, `
			r0 = *(u64 *)(r1 +0)
			r8 = *(u64 *)(r1 +8)
			r7 = *(u64 *)(r1 +16)
			r6 = *(u64 *)(r1 +24)
			r9 = *(u64 *)(r1 +32)
			r0 += r9
			r8 += r9
			r7 ^= r9
			r6 *= r9
			*(u64 *)(r10 -8) = r0
			call #1 (0)
			r0 = *(u64 *)(r10 -8)
			r0 += r9
			r8 += r9
			r7 ^= r9
			r6 *= r9
			r0 += r8
			r0 += r7
			r0 += r6
			exit`},
	{"what only cold code needs is reloaded there", `
			v32 = *(u64 *)(r1 +0)
			v33 = *(u64 *)(r1 +8)
			v34 = *(u64 *)(r1 +16)
			v35 = *(u64 *)(r1 +24)
			v36 = *(u64 *)(r1 +32)
			call #1 (0)
			v37 = r0
			if v37 == 0 goto b2
		b1:
			v32 += v33
			v32 += v34
			v32 += v35
			r0 = v32
			exit
		b2: cold
			r1 = v36
			call #2 (1)
			r0 = 0
			exit`, `
			r6 = *(u64 *)(r1 +0)
			r7 = *(u64 *)(r1 +8)
			r8 = *(u64 *)(r1 +16)
			r9 = *(u64 *)(r1 +24)
			r0 = *(u64 *)(r1 +32)
			*(u64 *)(r10 -8) = r0
			call #1 (0)
			if r0 == 0 goto b2
		b1:
			r6 += r7
			r6 += r8
			r6 += r9
			r0 = r6
			goto b3
		b2: cold
			r1 = *(u64 *)(r10 -8)
			call #2 (1)
			r0 = 0
		b3:
			exit`},
	{"reloads leave loops", `
			v38 = r1
			v32 = *(u64 *)(v38 +0)
			v33 = *(u64 *)(v38 +8)
			v34 = *(u64 *)(v38 +16)
			v35 = *(u64 *)(v38 +24)
			v36 = *(u64 *)(v38 +32)
			call #1 (0)
			v37 = 0
		b1: depth 1
			v37 += v36
			v37 ^= v32
			v37 ^= v33
			v37 ^= v34
			v37 ^= v35
			if v37 < 100 goto b1
		b2:
			r0 = v37
			exit`, `
			r9 = *(u64 *)(r1 +0)
			r8 = *(u64 *)(r1 +8)
			r7 = *(u64 *)(r1 +16)
			r6 = *(u64 *)(r1 +24)
			r0 = *(u64 *)(r1 +32)
			*(u64 *)(r10 -8) = r0
			call #1 (0)
			r0 = 0
			r1 = *(u64 *)(r10 -8)
		b1: depth 1
			r0 += r1
			r0 ^= r9
			r0 ^= r8
			r0 ^= r7
			r0 ^= r6
			if r0 < 100 goto b1
		b2:
			exit`},
	{"values move on behind calls", `
			v38 = r1
			v32 = *(u64 *)(v38 +0)
			v33 = *(u64 *)(v38 +8)
			v34 = *(u64 *)(v38 +16)
			v35 = *(u64 *)(v38 +24)
			call #1 (0)
			v36 = r0
			v32 += v36
			v32 += v33
			v32 += v34
			v32 += v35
			r1 = v32
			call #2 (1)
			r0 = v36
			exit`, `
			r6 = *(u64 *)(r1 +0)
			r7 = *(u64 *)(r1 +8)
			r8 = *(u64 *)(r1 +16)
			r9 = *(u64 *)(r1 +24)
			call #1 (0)
			r6 += r0
			r6 += r7
			r6 += r8
			r6 += r9
			r1 = r6
			r6 = r0
			call #2 (1)
			r0 = r6
			exit`},
	{"spills share a slot", `
			v32 = *(u64 *)(r1 +0)
			v33 = *(u64 *)(r1 +8)
			v34 = *(u64 *)(r1 +16)
			v35 = *(u64 *)(r1 +24)
			v36 = *(u64 *)(r1 +32)
			call #1 (0)
			v32 += v33
			v32 += v34
			v32 += v35
			v32 += v36
			r1 = v32
			call #2 (1)
			v42 = *(u64 *)(r0 +0)
			v43 = *(u64 *)(r0 +8)
			v44 = *(u64 *)(r0 +16)
			v45 = *(u64 *)(r0 +24)
			v46 = *(u64 *)(r0 +32)
			call #3 (0)
			v42 += v43
			v42 += v44
			v42 += v45
			v42 += v46
			r0 = v42
			exit`, `
			r0 = *(u64 *)(r1 +0)
			r9 = *(u64 *)(r1 +8)
			r8 = *(u64 *)(r1 +16)
			r7 = *(u64 *)(r1 +24)
			r6 = *(u64 *)(r1 +32)
			*(u64 *)(r10 -8) = r0
			call #1 (0)
			r1 = *(u64 *)(r10 -8)
			r1 += r9
			r1 += r8
			r1 += r7
			r1 += r6
			call #2 (1)
			r1 = *(u64 *)(r0 +0)
			r9 = *(u64 *)(r0 +8)
			r8 = *(u64 *)(r0 +16)
			r7 = *(u64 *)(r0 +24)
			r6 = *(u64 *)(r0 +32)
			*(u64 *)(r10 -8) = r1
			call #3 (0)
			r0 = *(u64 *)(r10 -8)
			r0 += r9
			r0 += r8
			r0 += r7
			r0 += r6
			exit`},
}

func TestTable(t *testing.T) {
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := machtest.MustParse(tt.in)
			if err := f.Check(); err != nil {
				t.Fatal(err)
			}
			if _, err := regalloc.Allocate(f); err != nil {
				t.Fatal(err)
			}
			if err := f.CheckAllocated(); err != nil {
				t.Error(err)
			}
			if d := cmp.Diff(lines(tt.want), lines(f.String())); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// lines returns the trimmed lines of s without the one that opens a function and
// the label of a function's only block.
func lines(s string) []string {
	var out []string
	for l := range strings.Lines(s) {
		if l = strings.TrimSpace(l); l != "" && !strings.HasPrefix(l, "func ") && l != "b0:" {
			out = append(out, l)
		}
	}
	return out
}

// pressure makes a function in which n values live across a call.
func pressure(n int) *mach.Func {
	var sb strings.Builder
	for k := range n {
		fmt.Fprintf(&sb, "v%d = *(u64 *)(r1 %+d)\n", 32+k, 8*k)
	}
	sb.WriteString("call #1 (0)\n")
	for k := range n {
		fmt.Fprintf(&sb, "r0 += v%d\n", 32+k)
	}
	sb.WriteString("exit\n")
	return machtest.MustParse(sb.String())
}

func TestStackError(t *testing.T) {
	f := pressure(68) // four in registers, 64 in memory
	if _, err := regalloc.Allocate(f); err != nil {
		t.Fatal(err)
	}
	if f.FrameSize != 512 {
		t.Errorf("frame size %d, want 512", f.FrameSize)
	}
	f = pressure(70)
	f.IR = &ir.Func{Name: "prog", Params: make([]*ir.Value, 1)}
	_, err := regalloc.Allocate(f)
	var e *regalloc.StackError
	if !errors.As(err, &e) {
		t.Fatalf("got error %v", err)
	}
	want := regalloc.StackError{Func: "prog", Size: 528, Spill: 528}
	if *e != want {
		t.Errorf("got %+v, want %+v", *e, want)
	}
	const text = "stack overflow: function prog needs 528 bytes of stack, 528 of them for spilled registers; the kernel allows 512"
	if e.Error() != text {
		t.Errorf("got %q, want %q", e, text)
	}
}

// TestFrame verifies that spills go below the slots that are there already.
func TestFrame(t *testing.T) {
	f := pressure(6)
	f.FrameSize = 20
	st, err := regalloc.Allocate(f)
	if err != nil {
		t.Fatal(err)
	}
	if st.Slots != 2 || f.FrameSize != 24+16 {
		t.Errorf("%d slots, frame size %d; want 2, 40", st.Slots, f.FrameSize)
	}
	for _, i := range f.Blocks[0].Insns {
		if i.Op.Class() == mach.ClassSTX && (i.Dst != mach.R10 || i.Off > -32 || i.Off%8 != 0) {
			t.Errorf("spill in the wrong place: %v", &i)
		}
	}
}
