package corpus

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/load"
)

// TestLibbpf loads every object with libbpf, by way of bpftool, and looks for Go
// source in the dump of its programs.
func TestLibbpf(t *testing.T) {
	testkit.RequireRoot(t)
	testkit.RequireTool(t, "bpftool")
	for _, e := range entries {
		t.Run(e.dir, func(t *testing.T) {
			obj, err := load.OpenBytes(e.dir+".o", object(t, e.dir))
			if err != nil {
				t.Fatal(err)
			}
			// Not every program's lines, because bpftool reads all of
			// /proc/kallsyms each time.
			p := obj.Programs()[0].Name
			if newToLibbpf(obj) {
				checkLines(t, e.dir, p, "id", programID(t, e.load(t), p))
				return
			}
			checkLines(t, e.dir, p, "pinned", filepath.Join(loadAll(t, e.dir), p))
		})
	}
}

// TestLibbpfSlots: libbpf puts programs into their slots, too.
func TestLibbpfSlots(t *testing.T) {
	testkit.RequireRoot(t)
	testkit.RequireTool(t, "bpftool")
	// The kernel empties a program array that nobody holds.
	pins := loadAll(t, "tailcalls", "pinmaps", filepath.Join(pinRoot, "libbpf-maps"))
	var slots []struct{ Key, Value [4]string }
	out := bpftool(t, "--json", "map", "dump", "pinned", filepath.Join(pinRoot, "libbpf-maps", "Handlers"))
	if err := json.Unmarshal([]byte(out), &slots); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var handler struct{ ID uint32 }
	show := bpftool(t, "--json", "prog", "show", "pinned", filepath.Join(pins, "HandleTCP"))
	if err := json.Unmarshal([]byte(show), &handler); err != nil {
		t.Fatalf("%v: %s", err, show)
	}
	id := binary.LittleEndian.AppendUint32(nil, handler.ID)
	if len(slots) != 2 || slots[0].Key[0] != "0x06" || slots[0].Value != [4]string(hexBytes(id)) {
		t.Errorf("slots %v, want program %d in slot 6, and another one", slots, handler.ID)
	}
}

func hexBytes(b []byte) (list []string) {
	for _, x := range b {
		list = append(list, fmt.Sprintf("0x%02x", x))
	}
	return list
}

// newSections are the beginnings of sections that libbpf learned only after version
// 1.1, which distributions have.
var newSections = []string{"tcx/", "sk_skb/verdict"}

// newToLibbpf reports whether an object has such sections.
func newToLibbpf(obj *load.Object) bool {
	return slices.ContainsFunc(obj.Programs(), func(p load.Program) bool {
		return slices.ContainsFunc(newSections, func(s string) bool { return strings.HasPrefix(p.Section, s) })
	})
}

func programID(t *testing.T, h *load.Handle, name string) string {
	t.Helper()
	p, err := h.Program(name)
	if err != nil {
		t.Fatal(err)
	}
	info, err := p.Info()
	if err != nil {
		t.Fatal(err)
	}
	id, ok := info.ID()
	if !ok {
		t.Fatal("the kernel gives programs no IDs")
	}
	return strconv.Itoa(int(id))
}

// loadAll loads and pins all programs of an object until the test ends, and
// returns where. args go to bpftool.
func loadAll(t *testing.T, dir string, args ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), dir+".o")
	if err := os.WriteFile(file, object(t, dir), 0o600); err != nil {
		t.Fatal(err)
	}
	pins := filepath.Join(pinRoot, "libbpf-"+dir)
	before := pinned(t)
	t.Cleanup(func() {
		for name := range pinned(t) {
			if before[name] {
				continue
			}
			if err := os.RemoveAll(filepath.Join(pinRoot, name)); err != nil {
				t.Error(err)
			}
		}
	})
	bpftool(t, append([]string{"prog", "loadall", file, pins}, args...)...)
	return pins
}

// pinned lists what is on the BPF file system. Maps that are pinned by name are
// beside the directory that programs are in.
func pinned(t *testing.T) map[string]bool {
	t.Helper()
	entries, err := os.ReadDir(pinRoot)
	if err != nil {
		t.Error(err)
	}
	names := map[string]bool{}
	for _, e := range entries {
		names[e.Name()] = true
	}
	return names
}

func bpftool(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("bpftool", args...)
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("bpftool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// sourceLine is what bpftool puts in front of the instructions of a line.
var sourceLine = regexp.MustCompile(`; .+ \[file:(\S+\.go) line_num:[1-9]\d* `)

// checkLines looks for lines of the package's own file in the dump of a program.
func checkLines(t *testing.T, dir, program, how, which string) {
	t.Helper()
	dump := bpftool(t, "prog", "dump", "xlated", how, which, "linum")
	lines := sourceLine.FindAllStringSubmatch(dump, -1)
	own := 0
	for _, l := range lines {
		if filepath.Base(l[1]) == dir+".go" {
			own++
		}
	}
	if own == 0 {
		t.Errorf("%s: no line of %s.go in the dump:\n%s", program, dir, dump)
	}
}
