package codegen

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// TestCheckStack: frames are rounded up to 32 bytes, an empty one too, and add up
// along the deepest chain of calls.
func TestCheckStack(t *testing.T) {
	const calls = `
prog Prog -> [i32]
b0:
  v1 = call a
  v2 = call b
  ret [0]
func a -> []
b0:
  v1 = call b
  ret []
func b -> []
b0:
  ret []
`
	for _, c := range []struct {
		prog, a, b int64
		want       string
	}{
		{512 - 64, 32, 32, ""},
		{512 - 64, 0, 0, ""},
		{512 - 64, 0, 1, ""},
		{512 - 56, 0, 0, "Prog needs 544 bytes of stack, the kernel gives 512"},
		{8, 256, 256, "Prog needs 544 bytes"},
		{8, 40, 400, ""},
		{8, 65, 400, "Prog needs 544 bytes"},
	} {
		m, err := ir.Parse(calls)
		if err != nil {
			t.Fatal(err)
		}
		f := m.Funcs
		err = checkStack(m, map[*ir.Func]int64{f[0]: c.prog, f[1]: c.a, f[2]: c.b})
		if got := fmt.Sprint(err); c.want == "" && err != nil || !strings.Contains(got, c.want) {
			t.Errorf("frames %d, %d, %d: got %v, want %q", c.prog, c.a, c.b, err, c.want)
		}
	}
}

// TestCallDepth: the kernel allows 8 frames. Chains are found without walking
// every path through the calls, of which this has 2^n.
func TestCallDepth(t *testing.T) {
	module := func(depth int) *ir.Module {
		text := "prog Prog -> [i32]\nb0:\n v1 = call f2\n v2 = call f2\n ret [0]\n"
		for i := 2; i < depth; i++ {
			text += fmt.Sprintf("func f%d -> []\nb0:\n v1 = call f%d\n v2 = call f%d\n ret []\n", i, i+1, i+1)
		}
		m, err := ir.Parse(text + fmt.Sprintf("func f%d -> []\nb0:\n ret []\n", depth))
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	if err := checkStack(module(8), nil); err != nil {
		t.Errorf("8 frames: %v", err)
	}
	var se *StackError
	if err := checkStack(module(16), nil); !errors.As(err, &se) || se.Frames != 16 {
		t.Errorf("16 frames: got %v", err)
	}
	if err := checkStack(module(60), nil); err == nil {
		t.Error("60 frames: no error")
	}
}

// TestStackErrorText: the largest variables are named, largest first.
func TestStackErrorText(t *testing.T) {
	f := &ir.Func{Name: "Prog", Slots: []*ir.Slot{
		{Name: "a", Size: 8}, {Name: "b", Size: 400}, {Name: "c", Size: 200}, {Name: "d", Size: 16},
	}}
	const want = "Prog needs 640 bytes of stack, the kernel gives 512 (largest: b 400, c 200, d 16)"
	if got := newStackError(f, 640).Error(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
