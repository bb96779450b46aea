package ir_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// everything uses every operation and every way to write one.
const everything = `map M kind 1 key 4 value 16 entries 10
global G size 24 align 8 in .data
prog Prog -> [i32] verdict 2
  slot0 "buf" size 16 align 8 at 0
  slot3 "x y" size 4 align 4 at -24
b0:
  v0 = param.ptr [0]
  v1 = slotaddr.ptr slot0 [8]
  v2 = globaladdr.ptr G [16]
  v3 = mapaddr.ptr M
  v4 = mapindex.i32 v3
  v5 = load.i64 v1 [4]
  v6 = load.i32 i8 v2
  store v1, v5 [8]
  store v1, 7:i16 [2]
  store i8 v1, v6
  zero 16 v1 [-8]
  move v1, v2 [24]
  v7 = ctxptr.ptr v0 [76]
  v8 = volatile.i32 v2
  v9 = atomic.i64 add v2, v5 [8]
  v10 = atomic.i32 cmpxchg v2, v8, 0
  v11 = helper.ptr map_lookup_elem v3, v1 [1] {pure reads=0,4,0,0,0}
  v12 = helper.i64 ringbuf_reserve v3, 8, 0 [131] {invalidates acquires=132 releases=2 lock=-1 writes=-1,0,0,0,0 fills=0,0,8,0,0}
  v13 = call sub v5, 0:ptr
  v14 = result.i8 v13 [1]
  tailcall v0, v3, v8
  v15 = eq.i8 v11, 0
  if v15: b1 else b2 likely
b1: <- [b0 b2]
  v16 = phi.i64 3, 4
  v17 = sext.i64 5:i8
  v18 = ult.i8 1:i32, 2:i32
  v19 = ptradd.ptr v1, -3
  v20 = add.i64 v16, v17
  v21 = trunc.i16 v20
  v22 = bswap.i16 v21 [16]
  jump b3
b2: <- [b0]
  jump b1
b3: <- [b1]
  if 1: b4 else b5
b4: <- [b3]
  ret [v8]
b5: <- [b3]
  fault 1
func sub -> [i8 i8] noinline notnil=1
b0:
  v0 = param.i64 [0]
  v1 = param.ptr [1]
  v2 = trunc.i8 v0
  ret [v2 1]
`

func TestRoundTrip(t *testing.T) {
	m, err := ir.Parse(everything)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(everything, m.String()); diff != "" {
		t.Errorf("text changed (-read +written):\n%s", diff)
	}
}

func TestParseErrors(t *testing.T) {
	body := func(lines string) string { return "func f -> [i32]\nb0:\n  " + lines }
	for _, c := range []struct{ text, want string }{
		{"v1 = add.i32 1, 2", "outside of a function"},
		{"func f -> [i32]\nv1 = add.i32 1, 2", "outside of a block"},
		{"func f -> [i31]", "no type"},
		{"func f -> [i32]", "has no blocks"},
		{"func f -> [i32]\nslotx \"a\" size 4", "is no name"},
		{"func f -> [i32] notnil=x\nb0:\nret [0]", "is no name"},
		{"map M kind one", "kind"},
		{body("v1 = frob.i32 1"), "no operation"},
		{body("v1 = const.i32 [1]"), "no operation"},
		{body("v1 = add.i33 1, 2"), "no type"},
		{body("x1 = add.i32 1, 2"), "name"},
		{body("v1 = slotaddr.ptr slot7"), "no such slot"},
		{body("v1 = add.i32 v9, 2\nret [v1]"), "no value"},
		{body("v1 = add.i32 1:i7, 2\nret [v1]"), "no type"},
		{body("store 0:ptr, 5\nret [0]"), "needs a type"},
		{body("v1 = atomic.i64 nand 0, 5"), "no such atomic"},
		{body("v1 = helper.i64 h {speed=9}"), "no attribute"},
		{body("v1 = helper.i64 h {reads=x}"), "attribute"},
		{body("call g\nret [0]"), "no function"},
		{body("jump b9"), "no block"},
		{body("b0:"), "second block"},
		{body("v1 = add.i32 1, 2"), "successors"},
	} {
		_, err := ir.Parse(c.text)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("parse %q: got error %v, want one with %q", c.text, err, c.want)
		}
	}
}

// FuzzParse: no text makes Parse panic, and what it takes is stable.
func FuzzParse(f *testing.F) {
	f.Add(everything)
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ir.Parse(text)
		if err != nil {
			return
		}
		again, err := ir.Parse(m.String())
		if err != nil {
			t.Fatalf("%v\n%s", err, m)
		}
		if diff := cmp.Diff(m.String(), again.String()); diff != "" {
			t.Errorf("text changed:\n%s", diff)
		}
	})
}
