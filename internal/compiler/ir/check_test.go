package ir_test

import (
	"strings"
	"testing"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// TestCheckText: violations that can be written down.
func TestCheckText(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"operand does not dominate", "b0:\n if 1: b1 else b2\nb1: <- [b0]\n v1 = add.i32 1, 2\n jump b2\nb2: <- [b0 b1]\n ret [v1]", "v1 does not dominate"},
		{"operand comes later", "b0:\n v1 = add.i32 v2, 2\n v2 = add.i32 1, 2\n ret [v1]", "v2 comes later"},
		{"control comes from elsewhere", "b0:\n if 1: b1 else b2\nb1: <- [b0]\n v1 = eq.i8 1:i32, 2:i32\n jump b2\nb2: <- [b0 b1]\n if v1: b3 else b4\nb3: <- [b2]\n ret [1]\nb4: <- [b2]\n ret [1]", "control: operand v1 does not dominate"},
		{"phi operand not at the end of its predecessor", "b0:\n if 1: b1 else b2\nb1: <- [b0]\n v1 = add.i32 1, 2\n jump b3\nb2: <- [b0]\n jump b3\nb3: <- [b1 b2]\n v2 = phi.i32 v1, v1\n ret [v2]", "v1 does not dominate"},
		{"phi with too few operands", "b0:\n jump b1\nb1: <- [b0]\n v1 = phi.i32\n ret [v1]", "0 operands for 1 predecessors"},
		{"phi after a value", "b0:\n jump b1\nb1: <- [b0]\n v2 = add.i32 1, 2\n v1 = phi.i32 3\n ret [v1]", "phi after other values"},
		{"predecessor that does not go there", "b0:\n ret [0]\nb1: <- [b0]\n ret [0]", "b0 does not lead to b1"},
		{"missing predecessor", "b0:\n jump b1\nb1:\n ret [0]", "one-sided"},
		{"entry with predecessors", "b0: <- [b0]\n jump b0", "entry has predecessors"},
		{"block without end", "b0:\n v1 = add.i32 1, 2", "0 successors"},
		{"too few operands", "b0:\n v1 = add.i32 1\n ret [v1]", "1 operands, want 2"},
		{"operands of two types", "b0:\n v1 = add.i32 1, 2:i64\n ret [v1]", "operands [i32 i64]"},
		{"comparison of two types", "b0:\n v1 = eq.i8 1:i32, 2:i64\n ret [0]", "operands [i32 i64]"},
		{"wide comparison result", "b0:\n v1 = eq.i64 1:i32, 2:i32\n ret [0]", "operands [i32 i32]"},
		{"extension that does not widen", "b0:\n v1 = zext.i32 1:i32\n ret [v1]", "operands [i32]"},
		{"truncation that does not narrow", "b0:\n v1 = trunc.i32 1:i32\n ret [v1]", "operands [i32]"},
		{"phi of another type", "b0:\n jump b1\nb1: <- [b0]\n v1 = phi.i32 3:i64\n ret [v1]", "operand 0 is i64"},
		{"offset of a pointer that is narrow", "b0:\n v1 = ptradd.ptr 0, 3:i32\n ret [0]", "operands [ptr i32]"},
		{"address that is a number", "b0:\n v1 = load.i32 5:i64\n ret [v1]", "operands [i64"},
		{"copy to a number", "b0:\n move 5:i64, 0:ptr [8]\n ret [0]", "operands [i64"},
		{"too many arguments", "b0:\n v1 = helper.i64 h 1, 2, 3, 4, 5, 6\n ret [0]", "6 arguments"},
		{"result of no call", "b0:\n v1 = add.i32 1, 2\n v2 = result.i32 v1\n ret [v2]", "not a call"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := ir.Parse("func f -> [i32]\n" + c.body); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}

const sound = `
func f -> [i32]
b0:
  v0 = param.i32 [0]
  v1 = eq.i8 v0, 3
  if v1: b1 else b2
b1: <- [b0]
  jump b2
b2: <- [b0 b1]
  v2 = phi.i32 v0, 5
  ret [v2]
`

// TestCheckBroken: violations that only a faulty pass can make.
func TestCheckBroken(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(f *ir.Func)
		want   string
	}{
		{"none", func(*ir.Func) {}, ""},
		{"value listed twice", func(f *ir.Func) { b := f.Entry(); b.Values = append(b.Values, b.Values[0]) }, "listed twice"},
		{"value of another block", func(f *ir.Func) { f.Entry().Values[0].Block = f.Blocks[1] }, "belongs to b1"},
		{"value in no block", func(f *ir.Func) {
			b := f.Blocks[2]
			b.Rets[0] = b.NewValue(ir.OpConst, ir.I32, 0)
		}, "in no block"},
		{"nil operand", func(f *ir.Func) { f.Blocks[2].Values[0].Args[0] = nil }, "nil operand"},
		{"branch without control", func(f *ir.Func) { f.Entry().Control = nil }, "branch without control"},
		{"edge to a block that is gone", func(f *ir.Func) { f.Blocks = append(f.Blocks[:1:1], f.Blocks[2]) }, "one-sided"},
		{"two values of one number", func(f *ir.Func) { f.Blocks[2].Values[0].ID = 0 }, "number"},
		{"two blocks of one number", func(f *ir.Func) { f.Blocks[2].ID = 0 }, "number"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := ir.Parse(sound)
			if err != nil {
				t.Fatal(err)
			}
			c.damage(m.Funcs[0])
			err = m.Funcs[0].Check()
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
		})
	}
}
