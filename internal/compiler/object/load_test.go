//go:build linux

package object

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// bpffs mounts a BPF file system for the test.
func bpffs(t *testing.T) string {
	t.Helper()
	testkit.RequireRoot(t)
	dir := t.TempDir()
	if err := unix.Mount("bpf", dir, "bpf", 0, ""); err != nil {
		t.Fatalf("mount bpffs: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Errorf("unmount bpffs: %v", err)
		}
	})
	return dir
}

// bpftool runs bpftool, which loads with libbpf.
func bpftool(t *testing.T, args ...string) string {
	t.Helper()
	out, err := tryBpftool(t, args...)
	if err != nil {
		t.Fatalf("bpftool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func tryBpftool(t *testing.T, args ...string) (string, error) {
	t.Helper()
	testkit.RequireTool(t, "bpftool")
	path, err := exec.LookPath("bpftool")
	if err != nil {
		path = "/usr/sbin/bpftool" // not in a plain user's PATH
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	return string(out), err
}

func writeObject(t *testing.T, obj []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "probe.o")
	if err := os.WriteFile(file, obj, 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// loadCilium loads obj with cilium/ebpf.
func loadCilium(t *testing.T, obj []byte) (*ebpf.CollectionSpec, *ebpf.Collection) {
	t.Helper()
	spec, err := CollectionSpec(obj)
	if err != nil {
		t.Fatal(err)
	}
	coll, err := ebpf.NewCollection(spec)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	t.Cleanup(coll.Close)
	return spec, coll
}

// loadLibbpf loads obj with libbpf and returns the directory of pinned programs.
func loadLibbpf(t *testing.T, obj []byte) string {
	t.Helper()
	dir := bpffs(t)
	out := bpftool(t, "prog", "loadall", writeObject(t, obj), filepath.Join(dir, "p"), "pinmaps", filepath.Join(dir, "m"))
	if out != "" {
		t.Errorf("libbpf complains:\n%s", out)
	}
	return dir
}

var packet = make([]byte, 64)

func TestLoadsWithCilium(t *testing.T) {
	testkit.RequireRoot(t)
	spec, coll := loadCilium(t, demo(t).write())

	if got := coll.Programs["Count"]; got.Type() != ebpf.XDP {
		t.Errorf("Count is a %s", got.Type())
	}
	if got, want := spec.Programs["Trace"].AttachTo, "sock/inet_sock_set_state"; got != want {
		t.Errorf("Trace attaches to %q, want %q", got, want)
	}
	if len(coll.Programs) != 3 {
		t.Errorf("%d programs, want 3: subprograms must not show", len(coll.Programs))
	}
	ret, err := coll.Programs["Count"].Run(&ebpf.RunOptions{Data: packet})
	if err != nil {
		t.Fatal(err)
	}
	if ret != demoResult {
		t.Errorf("Count returns %d, want %d", ret, demoResult)
	}
	var calls uint64
	if err := coll.Variables["calls"].Get(&calls); err != nil || calls != 3 {
		t.Errorf("calls = %d, %v; want 3", calls, err)
	}
	if ret, err := coll.Programs["Other"].Run(&ebpf.RunOptions{Data: packet}); err != nil || ret != 2 {
		t.Errorf("Other returns %d, %v", ret, err)
	}
}

func TestVariables(t *testing.T) {
	testkit.RequireRoot(t)
	spec, err := CollectionSpec(demo(t).write())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"Pad": ".rodata+0:1", "conf": ".rodata+8:8", // after the string
		"first": ".data+0:2", "total": ".data+8:8",
		"zero": ".bss+0:3", "calls": ".bss+8:8",
	}
	for name, v := range spec.Variables {
		if got := fmt.Sprintf("%s+%d:%d", v.SectionName, v.Offset, v.Size()); got != want[name] {
			t.Errorf("variable %s is at %s, want %q", name, got, want[name])
		}
		if v.Type == nil || v.Type.Name != name {
			t.Errorf("variable %s has no type", name)
		}
	}
	if len(spec.Variables) != len(want) {
		t.Errorf("%d variables, want %d: constant strings must not show", len(spec.Variables), len(want))
	}
	// A constant is settable before load.
	if err := spec.Variables["conf"].Set(struct {
		Limit uint32
		Extra uint16
		_     uint16
	}{Limit: 1040, Extra: 6}); err != nil {
		t.Fatal(err)
	}
	coll, err := ebpf.NewCollection(spec)
	if err != nil {
		t.Fatal(err)
	}
	defer coll.Close()
	if ret, err := coll.Programs["Count"].Run(&ebpf.RunOptions{Data: packet}); err != nil || ret != demoResult+1000 {
		t.Errorf("Count returns %d, %v; want %d", ret, err, demoResult+1000)
	}
}

func TestLoadsWithLibbpf(t *testing.T) {
	testkit.RequireRoot(t)
	dir := loadLibbpf(t, demo(t).write())

	data := filepath.Join(t.TempDir(), "packet")
	if err := os.WriteFile(data, packet, 0o644); err != nil {
		t.Fatal(err)
	}
	out := bpftool(t, "-j", "prog", "run", "pinned", filepath.Join(dir, "p", "Count"), "data_in", data)
	var run struct{ Retval uint32 }
	if err := json.Unmarshal([]byte(out), &run); err != nil {
		t.Fatal(err)
	}
	if run.Retval != demoResult {
		t.Errorf("Count returns %d, want %d", run.Retval, demoResult)
	}
	// Fields print by name: maps carry their types.
	out = bpftool(t, "map", "dump", "pinned", filepath.Join(dir, "m", "Events"))
	if !strings.Contains(out, `"ID": 0`) {
		t.Errorf("map dump does not name fields:\n%s", out)
	}
}

func TestLinesReachTheKernel(t *testing.T) {
	testkit.RequireRoot(t)
	dir := loadLibbpf(t, demo(t).write())
	out := bpftool(t, "prog", "dump", "xlated", "pinned", filepath.Join(dir, "p", "Count"), "linum")
	want := []string{
		"int Count(struct xdp_md * ctx):",
		"; n := triple(7) [file:probe.go line_num:33 line_col:2]",
		"; n += total + int(conf.Limit) [file:probe.go line_num:34 line_col:7]",
		"; n += total + int(conf.Limit) [file:probe.go line_num:34 line_col:19]",
		"; each() [file:probe.go line_num:35 line_col:2]",
		"; return int32(n) [file:probe.go line_num:36 line_col:2]",
		"long long triple(long long x):",
		"; func triple(x int) int { return inc(x) * 3 } [file:probe.go line_num:45 line_col:33]",
		"long long visit(",
		// Its instructions have no position: the function's stands in.
		"; func visit(m *int, key *uint32, value *Event, n *int) int64 { return 0 } [file:probe.go line_num:49 line_col:6]",
	}
	rest := out
	for _, w := range want {
		_, after, found := strings.Cut(rest, w)
		if !found {
			t.Fatalf("no %q (in this order) in\n%s", w, out)
		}
		rest = after
	}
}

func TestVerifierErrorNamesGoLine(t *testing.T) {
	testkit.RequireRoot(t)
	f := newFixture(t, demoSrc)
	f.prog("xdp", "", "Count", pos(f.at("return int32(n)"), mov(0, 9), exit)...)
	spec, err := CollectionSpec(f.write())
	if err != nil {
		t.Fatal(err)
	}
	_, err = ebpf.NewCollection(spec)
	var ve *ebpf.VerifierError
	if !errors.As(err, &ve) {
		t.Fatalf("no verifier error: %v", err)
	}
	if log := strings.Join(ve.Log, "\n"); !strings.Contains(log, "; return int32(n) @ probe.go:36") {
		t.Errorf("verifier error does not name the line:\n%s", log)
	}
}

func TestBTFDump(t *testing.T) {
	file := writeObject(t, demo(t).write())
	out := bpftool(t, "btf", "dump", "file", file)
	for _, w := range []string{
		"ENUM 'Kind'", "'KindClose' val=2",
		"STRUCT 'Event' size=24 vlen=4",
		"FUNC 'Count' ", "linkage=global",
		"FUNC 'visit' ", "linkage=static",
		"DATASEC '.maps'", "DATASEC '.rodata' size=", "DATASEC '.bss'", "DATASEC '.data'",
		"VAR 'conf' ",
	} {
		if !strings.Contains(out, w) {
			t.Errorf("no %q in\n%s", w, out)
		}
	}
	if strings.Contains(out, "'str'") {
		t.Errorf("constant string has a variable:\n%s", out)
	}
}

// TestCDeclarationsCompile checks that the C which bpftool makes of an object is
// valid: names are identifiers, layouts can be said in C.
func TestCDeclarationsCompile(t *testing.T) {
	file := writeObject(t, demo(t).write())
	compileC(t, bpftool(t, "btf", "dump", "file", file, "format", "c"))

	skel := bpftool(t, "gen", "skeleton", file, "name", "probe")
	for _, w := range []string{"struct bpf_program *Count;", "struct bpf_map *Events;", "struct Conf conf;", "long long total;"} {
		if !strings.Contains(skel, w) {
			t.Errorf("no %q in the skeleton:\n%.4000s", w, skel)
		}
	}
	compileC(t, "struct Conf { unsigned int Limit; unsigned short Extra; };\n"+skel)
}

// compileC checks C declarations with clang.
func compileC(t *testing.T, src string) {
	t.Helper()
	testkit.RequireTool(t, "clang")
	cmd := exec.Command("clang", "-fsyntax-only", "-x", "c", "-")
	cmd.Stdin = strings.NewReader(src)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s\n%s", err, out, src)
	}
}
