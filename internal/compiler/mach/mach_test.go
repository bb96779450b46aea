package mach_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waggle-bpf/waggle/internal/compiler/mach"
	"github.com/waggle-bpf/waggle/internal/compiler/mach/machtest"
)

const printed = `func ? frame 16
b0:
	v32 = r1
	v33w = v32w
	v33 = be16 v33
	v33 += -3
	v33w s>>= 4
	v33 = -v33
	v34 = *(u32 *)(v32 +8)
	*(u64 *)(r10 -8) = v34
	*(u8 *)(v32 +0) = 5
	lock *(u64 *)(v32 +0) += v34
	v34 = atomic_fetch_xor((u32 *)(v32 +4), v34)
	r0 = atomic_cmpxchg((u64 *)(v32 +8), r0, v34)
	v35 = fp -16
	v36 = 0xffffffffffffffff ll
	v37 = map m ll
	v38 = global g+4 ll
	r1 = v37
	r2 = v35
	call #1 (2)
	call sub (0)
	if v34w s<= 7 goto b2
b1: depth 1
	if r0 & v33 goto b1
	goto b3
b2: cold
	r0 = 1
b3:
	exit
`

func TestPrintRoundTrip(t *testing.T) {
	f, err := machtest.Parse(printed)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(printed, f.String()); d != "" {
		t.Errorf("printed differently (-want +got):\n%s", d)
	}
}

func TestCheck(t *testing.T) {
	tests := []struct {
		name, text, want string
		physical         bool
	}{
		{"fine", "r0 = 0\nexit", "", true},
		{"argument", "r0 = r1\nexit", "", true},
		{"virtual", "v32 = 0\nr0 = v32\nexit", "v32 is not physical", true},
		{"virtual before", "v32 = 0\nr0 = v32\nexit", "", false},
		{"undefined", "r0 = v32\nexit", "v32 is read but not written", false},
		{"no result", "r1 = 0\nexit", "r0 is read but not written", false},
		{"clobbered", "call #1 (1)\nr0 = r1\nexit", "r1 is read but not written", false},
		{"one path", "if r1 == 0 goto b2\nb1:\nv32 = 1\nb2:\nr0 = v32\nexit", "v32 is read but not written", false},
		{"both paths", "if r1 == 0 goto b2\nb1:\nv32 = 1\ngoto b3\nb2:\nv32 = 2\nb3:\nr0 = v32\nexit", "", false},
		{"loop", "b0:\nr0 = 0\nb1:\nr0 += r6\nif r0 == 0 goto b1\nb2:\nexit", "r6 is read but not written", false},
		{"frame pointer", "r10 += 8\nr0 = 0\nexit", "writes r10", false},
		{"immediate", "r0 = 4294967296\nexit", "does not fit in 32 bits", false},
		{"entry", "b0:\nr0 = 0\nif r0 == 0 goto b0\nb1:\nexit", "entry has predecessors", false},
		{"six arguments", "call #1 (6)\nexit", "more than five arguments", false},
		{"middle", "exit\nr0 = 0\nexit", "in the middle", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := machtest.MustParse(tt.text)
			err := f.Check()
			if tt.physical {
				err = f.CheckAllocated()
			}
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("got %v, want no error", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestCheckEdges(t *testing.T) {
	breakers := map[string]func(f *mach.Func){
		"missing successor": func(f *mach.Func) { f.Blocks[0].Succs = nil },
		"foreign block":     func(f *mach.Func) { f.Blocks[0].Succs[0] = &mach.Block{} },
		"stale predecessor": func(f *mach.Func) { f.Blocks[1].Preds = nil },
		"extra predecessor": func(f *mach.Func) { f.Blocks[1].Preds = append(f.Blocks[1].Preds, f.Blocks[1]) },
	}
	for name, do := range breakers {
		f := machtest.MustParse("b0:\nr0 = 0\nb1:\nexit")
		if err := f.Check(); err != nil {
			t.Fatal(err)
		}
		if do(f); f.Check() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// lines makes code comparable with a list of lines.
func lines(s string) string {
	var out []string
	for _, l := range strings.Split(s, "\n") {
		if l = strings.TrimSpace(l); l != "" {
			out = append(out, l)
		}
	}
	return strings.Join(out, "\n")
}

func TestLayout(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"lea takes two", "r1 = fp -8\nr2 = fp +0\ncall #1 (2)\nexit",
			"0: r1 = r10\n1: r1 += -8\n2: r2 = r10\n3: call #1 (2)\n4: exit"},
		{"ldimm64 takes two slots", "b0:\nif r1 == 0 goto b2\nb1:\nr0 = 0x1 ll\nexit\nb2:\nr0 = 7\nexit",
			"0: if r1 == 0 goto 4\n1: r0 = 0x1 ll\n3: exit\n4: r0 = 7\n5: exit"},
		{"cold last", "b0:\nif r1 == 0 goto b2\nb1: cold\nr0 = 1\nexit\nb2:\nr0 = 2\nexit",
			"0: if r1 != 0 goto 3\n1: r0 = 2\n2: exit\n3: r0 = 1\n4: exit"},
		{"jset has no inverse", "b0:\nif r1 & 4 goto b2\nb1: cold\nr0 = 1\nexit\nb2:\nr0 = 2\nexit",
			"0: if r1 & 4 goto 2\n1: goto 4\n2: r0 = 2\n3: exit\n4: r0 = 1\n5: exit"},
		{"thread", "b0:\nr0 = 5\nif r1 == 0 goto b1\ngoto b2\nb1:\ngoto b3\nb2:\ngoto b3\nb3:\nexit",
			"0: r0 = 5\n1: exit"},
		{"equal exits", "b0:\nr0 = 1\nif r1 == 0 goto b1\ngoto b2\nb1:\nr0 = 2\nexit\nb2:\nr2 = *(u8 *)(r1 +0)\n" +
			"if r2 == 0 goto b3\ngoto b4\nb3:\nr0 = 2\nexit\nb4:\nexit",
			"0: r0 = 1\n1: if r1 == 0 goto 4\n2: r2 = *(u8 *)(r1 +0)\n3: if r2 != 0 goto 5\n4: r0 = 2\n5: exit"},
		{"common ends", "b0:\nif r1 == 0 goto b2\nb1:\nr1 = 1\nr2 = 3\ncall #5 (2)\nexit\nb2:\nr1 = 2\nr2 = 3\ncall #5 (2)\nexit",
			"0: if r1 == 0 goto 5\n1: r1 = 1\n2: r2 = 3\n3: call #5 (2)\n4: exit\n5: r1 = 2\n6: goto 2"},
		{"common ends behind constants", "b0:\nif r1 == 0 goto b2\nb1:\nr2 = 1\nr3 = map a ll\nlock *(u64 *)(r3 +0) += r2\nr0 = 0\nexit\n" +
			"b2:\nr2 = 1\nr3 = map b ll\nlock *(u64 *)(r3 +0) += r2\nr0 = 0\nexit",
			"0: if r1 == 0 goto 7\n1: r3 = map a ll\n3: r2 = 1\n4: lock *(u64 *)(r3 +0) += r2\n5: r0 = 0\n6: exit\n7: r3 = map b ll\n9: goto 3"},
		{"exit instead of a jump to it", "b0:\nr0 = 1\nif r1 == 0 goto b3\nb1:\nif r1 == 1 goto b2\ngoto b3\nb2:\nr0 = 2\nb3:\nexit",
			"0: r0 = 1\n1: if r1 == 0 goto 4\n2: if r1 != 1 goto 4\n3: r0 = 2\n4: exit"},
		{"loop is closed by a jump", "b0:\nr0 = 0\nb1: depth 1\nif r1 == 0 goto b3\nb2: depth 1\nr0 += 1\nr1 -= 1\ngoto b1\nb3:\nexit",
			"0: r0 = 0\n1: if r1 == 0 goto 5\n2: r0 += 1\n3: r1 -= 1\n4: goto 1\n5: exit"},
		{"endless", "b0:\ngoto b1\nb1:\ngoto b1", "0: goto 0"},
		{"copies", "r6 = r1\nr2 = r6\nr3 = *(u8 *)(r2 +0)\nr0 = r3\nr7 = r0\nr0 = r7\nexit",
			"0: r3 = *(u8 *)(r1 +0)\n1: r0 = r3\n2: exit"},
		{"32-bit self move stays", "r1w = r1w\nr0 = r1\nr0 = r0\nexit", "0: w1 = w1\n1: r0 = r1\n2: exit"},
		{"a jump keeps what it compares", "b0:\nr2 = r1\nr0 = 0\nif r2 == 0 goto b1\ngoto b2\nb1:\nr0 = r2\nb2:\nexit",
			"0: r2 = r1\n1: r0 = 0\n2: if r2 != 0 goto 4\n3: r0 = r2\n4: exit"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := machtest.MustParse(strings.ReplaceAll(tt.in, "r1w", "w1")).Layout()
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, lines(c.String())); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestHoistConstants(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"diamond", "v32 = r1\nif v32 == 0 goto b2\nb1:\nv33 = 1\ngoto b3\nb2:\nv33 = 2\nb3:\nr0 = v33\nexit",
			"v32 = r1\nv33 = 2\nif v32 == 0 goto b3\nb1:\nv33 = 1\nb3:\nr0 = v33\nexit"},
		{"needed on the other way", "v32 = r1\nv33 = 1\nif v32 == 0 goto b2\ngoto b3\nb2:\nv33 = 2\nb3:\nr0 = v33\nexit", ""},
		{"compared", "v32 = r1\nif v32 == 0 goto b2\nb1:\nv32 = 1\ngoto b3\nb2:\nv32 = 2\nb3:\nr0 = v32\nexit", ""},
		{"not constant", "v32 = r1\nif v32 == 0 goto b2\nb1:\nv33 = v32\ngoto b3\nb2:\nv33 = r1\nb3:\nr0 = v33\nexit", ""},
		{"cold", "v32 = r1\nif v32 == 0 goto b2\nb1:\nv33 = v32\ngoto b3\nb2: cold\nv33 = 2\nb3:\nr0 = v33\nexit", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := machtest.MustParse(tt.in)
			want := f.String()
			if tt.want != "" {
				want = machtest.MustParse(tt.want).String()
			}
			f.HoistConstants()
			f.Simplify()
			if err := f.Check(); err != nil {
				t.Error(err)
			}
			if d := cmp.Diff(lines(want), lines(f.String())); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestLayoutTooFar(t *testing.T) {
	f := machtest.MustParse("b0:\nr0 = 0\nif r1 == 0 goto b2\nb1:\nr0 += 1\nb2:\nexit")
	for range 1 << 15 {
		f.Blocks[1].Insns = append(f.Blocks[1].Insns, f.Blocks[1].Insns[0])
	}
	if _, err := f.Layout(); err == nil || !strings.Contains(err.Error(), "function too long") {
		t.Errorf("got error %v", err)
	}
}

// TestLayoutRandom compares what functions do before and after Layout; virtual
// registers are no hindrance to that.
func TestLayoutRandom(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		f := machtest.Random(rng, machtest.Shape{Vars: 4, Stmts: 60, Calls: 8, Depth: 3})
		if err := f.Check(); err != nil {
			t.Fatalf("seed %d: %v\n%v", seed, err, f)
		}
		var ctx [machtest.Ctx]byte
		for k := range ctx {
			ctx[k] = byte(rng.Uint32())
		}
		text := f.String()
		want, before := machtest.Run(f, ctx)
		if want.Err != "" {
			t.Fatalf("seed %d: %v\n%v", seed, want.Err, f)
		}
		c, err := f.Layout()
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		got, after := machtest.RunCode(c, ctx)
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("seed %d: (-want +got):\n%s\n%s\n%s", seed, d, text, c)
		}
		if after > before*3/2 {
			t.Errorf("seed %d: %d instructions executed, %d before", seed, after, before)
		}
	}
}

func ExampleFunc_String() {
	f := machtest.MustParse("v32 = *(u32 *)(r1 +8)\nr0 = v32\nexit")
	fmt.Print(f)
	// Output:
	// func ? frame 0
	// b0:
	// 	v32 = *(u32 *)(r1 +8)
	// 	r0 = v32
	// 	exit
}
