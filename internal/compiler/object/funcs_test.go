//go:build linux

package object

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/waggle-bpf/waggle/internal/abi"
	"github.com/waggle-bpf/waggle/internal/compiler/ir"
	"github.com/waggle-bpf/waggle/internal/compiler/mach"
	"github.com/waggle-bpf/waggle/internal/testkit"
)

const funcsSrc = `package probe

type T struct { N uint32 }
type Big struct { A, B, C uint64 }
type Verdict uint32
const ( Drop Verdict = 1; Pass Verdict = 2 )
type Args struct { Common, Sock uint64 }

func Prog(c *T) Verdict { return Pass }
func Trace(*Args) int32 { return 0 }

func nothing() {}
func two(a int8) (int, error) { return 0, nil }
func pointer(t *T) *T { return t }
func verdict(v Verdict, _ bool) (w Verdict) { return v }
func aggregates(s string, b Big, l []byte, a [3]uint8) (r Big) { return }
func many(a, b, c, d, e, f, g uint8) uint8 { return a }
func variadic(xs ...int) {}
func higher(f func(int) bool) bool { return f(1) }
`

// TestPrototypes checks what the kernel makes of functions of all shapes.
func TestPrototypes(t *testing.T) {
	testkit.RequireRoot(t)
	f := newFixture(t, funcsSrc)
	var subs []*ir.Func
	for _, name := range []string{"nothing", "two", "pointer", "verdict", "aggregates", "many", "variadic", "higher", "made"} {
		subs = append(subs, &ir.Func{Name: name, Module: f.m})
	}
	var body []mach.Insn
	for _, sub := range subs {
		for r := mach.R1; r <= mach.R5; r++ {
			body = append(body, movImm(r, 0))
		}
		body = append(body, call(sub, 5))
	}
	f.prog("xdp", "", "Prog", append(body, movImm(0, 2), exit)...)
	for _, sub := range subs {
		f.sub(sub, movImm(0, 0), exit)
	}
	made := subs[len(subs)-1]
	made.Params = []*ir.Value{{}, {}}
	obj := f.write()
	loadCilium(t, obj)
	dir := loadLibbpf(t, obj)

	out := bpftool(t, "prog", "dump", "xlated", "pinned", filepath.Join(dir, "p", "Prog"))
	for _, want := range []string{
		"enum Verdict Prog(struct xdp_md * c):",
		"unsigned long long nothing():",
		"unsigned long long two(signed char a):",
		"unsigned long long pointer(struct T * t):",
		"enum Verdict verdict(enum Verdict v, _Bool arg1):",
		"unsigned long long aggregates(struct go_string s, struct Big b, struct go_slice l, unsigned char [3]a):",
		"unsigned char many(unsigned char a, unsigned char b, unsigned char c, unsigned char d, unsigned char e, unsigned char f, unsigned char g):",
		"unsigned long long variadic(struct go_slice xs):",
		"_Bool higher(struct go_func f):",
		"unsigned long long made(unsigned long long arg0, unsigned long long arg1):",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q", want)
		}
	}
	if t.Failed() {
		t.Log(out)
	}
}

// TestContextOfTracepoint: a tracepoint's context is the user's own struct.
func TestContextOfTracepoint(t *testing.T) {
	f := newFixture(t, funcsSrc)
	fn := f.prog("tracepoint", "sock/inet_sock_set_state", "Trace", movImm(0, 0), exit)
	proto := newConverter(f.m.Name, nil, nil).programProto(fn)
	if got := render(proto.Params[0].Type, 1); got != "*struct Args:16{Common@0 unsigned long long; Sock@8 unsigned long long}" {
		t.Errorf("context is %s", got)
	}
	if proto.Params[0].Name != "arg0" {
		t.Errorf("parameter without name is called %q", proto.Params[0].Name)
	}
}

// TestTailCallInSubprogram: the kernel wants functions with tail calls to
// return a number, also where the Go function returns nothing.
func TestTailCallInSubprogram(t *testing.T) {
	testkit.RequireRoot(t)
	f := newFixture(t, funcsSrc)
	progs := f.mapOf("Progs", abi.MapProgArray, "", "", 4)
	progs.KeySize, progs.ValueSize = 4, 4
	nothing := &ir.Func{Name: "nothing", Module: f.m}
	f.prog("xdp", "", "Prog", call(nothing, 1), movImm(0, 2), exit)
	f.sub(nothing, ldsym(2, progs, 0), movImm(3, 0), helper(12, 3), movImm(0, 0), exit)
	obj := f.write()
	_, coll := loadCilium(t, obj)
	if ret, err := coll.Programs["Prog"].Run(&ebpf.RunOptions{Data: packet}); err != nil || ret != 2 {
		t.Errorf("got %d, %v", ret, err)
	}
	loadLibbpf(t, obj)
}

// TestSpinLock: the kernel finds a lock in a map's value by its BTF name.
func TestSpinLock(t *testing.T) {
	testkit.RequireRoot(t)
	f := newFixture(t, typesSrc)
	locked := f.mapOf("Locks", abi.MapArray, "uint32", "Locked", 1)
	f.prog("xdp", "", "Prog",
		movImm(1, 0), store(mach.SizeDW, 10, -8, 1),
		ldsym(1, locked, 0), mov(2, 10), addImm(2, -8), helper(1, 2), // map_lookup_elem
		mach.Insn{Op: mach.Opcode(mach.ClassJMP) | mach.Jeq, Dst: 0, Off: 5},
		mov(6, 0), mov(1, 6), helper(93, 1), // spin_lock
		mov(1, 6), helper(94, 1), // spin_unlock
		movImm(0, 2), exit)
	opts := f.options()
	opts.BTFName = lockName
	obj, err := Write(f.m, f.code, opts)
	if err != nil {
		t.Fatal(err)
	}
	loadCilium(t, obj)
	loadLibbpf(t, obj)
}
