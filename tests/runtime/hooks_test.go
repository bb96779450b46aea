package runtime

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"github.com/waggle-bpf/waggle/bpf/xdp"
	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/load"
	"github.com/waggle-bpf/waggle/tests/runtime/hooks"
)

func runsOf(t testing.TB, h *load.Handle, i uint32) uint64 {
	t.Helper()
	m, err := load.PerCPUMapOf[uint32, uint64](h, "Runs")
	if err != nil {
		t.Fatal(err)
	}
	n, err := m.Get(i)
	if err != nil {
		t.Fatal(err)
	}
	return load.Sum(n)
}

// packet sends one over loopback and waits for it: a packet that finds its
// socket closed makes the kernel send another one.
func packet(t testing.TB) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.WriteTo([]byte("x"), conn.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := conn.ReadFrom(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
}

var onLoopback = load.Target{Interfaces: []string{"lo"}}

// TestKinds attaches programs of three kinds from one object.
func TestKinds(t *testing.T) {
	testkit.NeedKernel(t, "6.6", "tcx")
	h := start(t, open(t, "hooks"), load.Options{})
	group := testkit.NewCgroup(t)
	group.Join(t)
	links, err := h.AttachAll(load.Targets{
		Target: load.Target{Interfaces: []string{"lo"}, Cgroup: group.Path},
		Skip:   []string{"First", "Second"},
	})
	if err != nil || len(links) != 3 {
		t.Fatal(links, err)
	}
	packet(t)
	for _, i := range []uint32{hooks.RunXDP, hooks.RunTC, hooks.RunCgroup} {
		if runsOf(t, h, i) != 1 {
			t.Errorf("program %d ran %d times", i, runsOf(t, h, i))
		}
	}
}

// TestAttachNothing: two xdp programs can't share an interface, so the second one
// fails, and takes the others with it.
func TestAttachNothing(t *testing.T) {
	testkit.NeedKernel(t, "6.6", "tcx")
	h := start(t, open(t, "hooks"), load.Options{})
	group := testkit.NewCgroup(t)
	group.Join(t)
	links, err := h.AttachAll(load.Targets{Target: load.Target{Interfaces: []string{"lo"}, Cgroup: group.Path}})
	if err == nil || !strings.Contains(err.Error(), "First") && !strings.Contains(err.Error(), "Second") {
		t.Errorf("error %v", err)
	}
	if len(links) > 0 || len(h.Links()) > 0 {
		t.Errorf("links %v, %v", links, h.Links())
	}
	packet(t)
	for i := range uint32(hooks.NumRuns) {
		if n := runsOf(t, h, i); n != 0 {
			t.Errorf("program %d ran %d times", i, n)
		}
	}
}

func TestTailCalls(t *testing.T) {
	h := start(t, open(t, "hooks"), load.Options{Programs: []string{"First", "Second"}})
	if v := run(t, h, "First"); v != uint32(xdp.Drop) {
		t.Errorf("verdict %d without a program to go to", v)
	}
	second, err := h.Program("Second")
	if err != nil {
		t.Fatal(err)
	}
	next, err := h.Map("Next")
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint32(2) {
		if err := next.Put(i, second); err != nil {
			t.Fatal(err)
		}
	}
	if v := run(t, h, "First"); v != uint32(xdp.TX) {
		t.Errorf("verdict %d, want that of the last program of the chain", v)
	}
	const limit = 33 // MAX_TAIL_CALL_CNT in include/linux/bpf.h
	if first, second := runsOf(t, h, hooks.RunFirst), runsOf(t, h, hooks.RunSecond); first != 2 || second != limit {
		t.Errorf("%d and %d runs, want 2 and %d", first, second, limit)
	}
}

// TestReplace swaps programs of two handles that share a map, while packets flow.
func TestReplace(t *testing.T) {
	old := start(t, open(t, "hooks"), load.Options{Programs: []string{"OnXDP"}})
	if _, err := old.Attach("OnXDP", onLoopback); err != nil {
		t.Fatal(err)
	}
	packet(t)
	runs, err := old.Map("Runs")
	if err != nil {
		t.Fatal(err)
	}
	next := start(t, open(t, "hooks"), load.Options{
		Programs:        []string{"OnXDP"},
		MapReplacements: map[string]*ebpf.Map{"Runs": runs},
	})
	const packets = 500
	done := make(chan error)
	for i := range packets {
		if i == packets/2 {
			go func() { done <- next.TakeOver(old) }()
		}
		packet(t)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	packet(t)
	if n := runsOf(t, next, hooks.RunXDP); n != packets+2 {
		t.Errorf("%d runs for %d packets", n, packets+2)
	}
}

// TestPin: what is pinned works without the process that made it.
func TestPin(t *testing.T) {
	testkit.RequireRoot(t)
	dir := pinDir(t)
	h := start(t, open(t, "hooks"), load.Options{Programs: []string{"OnXDP"}})
	if _, err := h.Attach("OnXDP", onLoopback); err != nil {
		t.Fatal(err)
	}
	if err := h.Pin(dir); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	packet(t)
	raw, err := load.OpenPinnedMap(filepath.Join(dir, "maps", "Runs"))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	var perCPU []uint64
	if err := raw.Lookup(uint32(hooks.RunXDP), &perCPU); err != nil || load.Sum(perCPU) != 1 {
		t.Errorf("runs %v, %v", perCPU, err)
	}
	l, err := load.OpenPinnedLink(filepath.Join(dir, "links", "OnXDP"))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Detach(); err != nil {
		t.Fatal(err)
	}
	packet(t)
	if err := raw.Lookup(uint32(hooks.RunXDP), &perCPU); err != nil || load.Sum(perCPU) != 1 {
		t.Errorf("runs %v after the end, %v", perCPU, err)
	}
}
