package load

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/rtnl"
)

var loopback = Target{Interfaces: []string{"lo"}}

// TestReplace swaps a program while packets flow: every one of them meets
// either the old program or the new one.
func TestReplace(t *testing.T) {
	for _, tt := range []struct {
		program string
		target  Target
		counter uint32
	}{
		{"on_xdp", loopback, runXDP},
		{"on_tcx", loopback, runTCX},
		{"on_tcx", Target{Interfaces: []string{"lo"}, TC: Clsact}, runTCX},
	} {
		old, next := loadHook(t, tt.program), loadHook(t, tt.program)
		links, err := old.Attach(tt.program, tt.target)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(links[0].Where(), func(t *testing.T) {
			p, err := next.Program(tt.program)
			if err != nil {
				t.Fatal(err)
			}
			sent := flood(t, 3000, func() error { return links[0].Replace(p) })
			before, after := runsOf(t, old, tt.counter), runsOf(t, next, tt.counter)
			if before == 0 || after == 0 || before+after != uint64(sent) {
				t.Errorf("%d packets met the old program and %d the new one, of %d", before, after, sent)
			}
		})
		if err := errors.Join(old.Close(), next.Close()); err != nil {
			t.Error(err)
		}
	}
}

// flood sends n packets, and more until what f does half-way is done; it
// returns how many.
func flood(t *testing.T, n int, f func() error) int {
	t.Helper()
	conn := reusable(t)
	defer conn.Close()
	done := make(chan error, 1)
	sent := 0
	for answered := false; sent < n || !answered; sent++ {
		if sent == n/2 {
			go func() { done <- f() }()
		}
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			answered = true
		default:
		}
		circle(t, conn)
	}
	for range n / 10 { // by the new program, however late it came
		circle(t, conn)
	}
	return sent + n/10
}

func TestReplaceUnsupported(t *testing.T) {
	h := loadHook(t, "on_tp")
	links, err := h.Attach("on_tp", Target{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := h.Program("on_tp")
	if err != nil {
		t.Fatal(err)
	}
	if err := links[0].Replace(p); !errors.Is(err, ErrNotSupported) {
		t.Errorf("replace behind a tracepoint: %v", err)
	}
}

// TestTakeOver replaces a running object by a newer one that goes on with its
// maps; the old one is closed and nothing is missed.
func TestTakeOver(t *testing.T) {
	old := loadHook(t, "on_xdp", "on_tcx")
	if _, err := old.AttachAll(Targets{Target: loopback}); err != nil {
		t.Fatal(err)
	}
	loop(t, 5)
	before := runsOf(t, old, runXDP)
	runs, err := old.Map("runs")
	if err != nil {
		t.Fatal(err)
	}
	next := loadObject(t, openObject(t, "hooks.o"), Options{
		Programs:        []string{"on_xdp", "on_tcx"},
		MapReplacements: map[string]*ebpf.Map{"runs": runs},
	})
	if err := next.TakeOver(old); err != nil {
		t.Fatal(err)
	}
	if n, m := len(old.Links()), len(next.Links()); n != 0 || m != 2 {
		t.Errorf("%d links left, %d taken over", n, m)
	}
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	loop(t, 5)
	if n := runsOf(t, next, runXDP); n <= before {
		t.Errorf("%d runs before, %d after", before, n)
	}
}

// TestTakeOverFails takes over a program that the new object has not: the
// links stay with the old one, and its programs at them.
func TestTakeOverFails(t *testing.T) {
	old, next := loadHook(t, "on_xdp", "on_tcx"), loadHook(t, "on_xdp")
	if _, err := old.AttachAll(Targets{Target: loopback}); err != nil {
		t.Fatal(err)
	}
	if err := next.TakeOver(old); err == nil {
		t.Fatal("no error")
	}
	if n, m := len(old.Links()), len(next.Links()); n != 2 || m != 0 {
		t.Errorf("%d links left, %d taken over", n, m)
	}
	loop(t, 3)
	if runsOf(t, old, runXDP) == 0 || runsOf(t, next, runXDP) != 0 {
		t.Error("the programs were not put back")
	}
}

// TestPin pins links and maps, closes the handle and finds everything again.
func TestPin(t *testing.T) {
	dir := pinDir(t)
	h := loadHook(t, "on_xdp", "on_lookup")
	if _, err := h.AttachAll(Targets{Target: loopback}); err != nil {
		t.Fatal(err)
	}
	if err := h.Pin(dir); err != nil {
		t.Fatal(err)
	}
	for _, l := range h.Links() {
		if !l.OutlivesProcess() {
			t.Errorf("%v is pinned and would not outlive the process", l)
		}
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	m, err := OpenPinnedMap(filepath.Join(dir, "maps", "runs"))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	runs, err := OverMap[uint32, uint64](m)
	if err != nil {
		t.Fatal(err)
	}
	loop(t, 3)
	if n, err := runs.Get(runXDP); n == 0 || err != nil {
		t.Errorf("pinned program ran %d times, %v", n, err)
	}

	l, err := OpenPinnedLink(filepath.Join(dir, "links", "on_xdp"))
	if err != nil {
		t.Fatal(err)
	}
	if l.Program() != "on_xdp" || !l.OutlivesProcess() {
		t.Errorf("link %v", l)
	}
	next := loadHook(t, "on_xdp")
	p, err := next.Program("on_xdp")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Replace(p); err != nil {
		t.Fatal(err)
	}
	loop(t, 3)
	if runsOf(t, next, runXDP) == 0 {
		t.Error("the program of the pinned link was not replaced")
	}
	if err := l.Detach(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "links", "on_xdp")); !os.IsNotExist(err) {
		t.Errorf("the pin is still there: %v", err)
	}
	if _, err := OpenPinnedLink(filepath.Join(dir, "links", "on_xdp")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("open a link that is gone: %v", err)
	}
	if _, err := OpenPinnedLink(filepath.Join(dir, "maps", "runs")); err == nil || !strings.Contains(err.Error(), "not a Link") {
		t.Errorf("open a map as a link: %v", err)
	}
	// The other link, as a program that comes later would end it.
	if l, err = OpenPinnedLink(filepath.Join(dir, "links", "on_lookup")); err != nil {
		t.Fatal(err)
	}
	if err := l.Unpin(); err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// TestPinUndoes pins a link that cannot be pinned: the maps before it are
// unpinned again.
func TestPinUndoes(t *testing.T) {
	dir := pinDir(t)
	h := loadHook(t, "on_tcx")
	if _, err := h.Attach("on_tcx", Target{Interfaces: []string{"lo"}, TC: Clsact}); err != nil {
		t.Fatal(err)
	}
	if err := h.Pin(dir); !errors.Is(err, ErrNotSupported) {
		t.Errorf("pin: %v", err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "maps")); len(left) != 0 || err != nil {
		t.Errorf("left %v, %v", left, err)
	}
}

// TestClosedLink asks a closed link for everything.
func TestClosedLink(t *testing.T) {
	h := loadHook(t, "on_xdp")
	links, err := h.Attach("on_xdp", loopback)
	if err != nil {
		t.Fatal(err)
	}
	l := links[0]
	if _, err := l.Output(); err == nil || !strings.Contains(err.Error(), "not an iterator") {
		t.Errorf("output: %v", err)
	}
	if info, err := l.Info(); err != nil || info.XDP() == nil {
		t.Errorf("info: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, infoErr := l.Info()
	for _, err := range []error{l.Replace(nil), l.Pin("/x"), l.Unpin(), infoErr, l.Detach()} {
		if !errors.Is(err, errClosedLink) || !strings.Contains(err.Error(), "on_xdp at lo (xdp)") {
			t.Errorf("closed link: %v", err)
		}
	}
	if l.OutlivesProcess() {
		t.Error("a closed link outlives the process")
	}
}

// TestRemoveStale leaves filters behind by killing a process, and takes them
// away again, by itself and by attaching: those of the dead process, not those
// of this one. The queueing
// discipline stays, as nobody's, and so all happens in a namespace that ends
// with the test.
func TestRemoveStale(t *testing.T) {
	if os.Getenv("WAGGLE_TEST_DIE") != "" {
		dieAttached(t)
	}
	testkit.RequireRoot(t)
	ns := testkit.NewNS(t)
	die := func() {
		t.Helper()
		cmd := exec.Command("/proc/self/exe", "-test.run=^TestRemoveStale$")
		cmd.Env = append(os.Environ(), "WAGGLE_TEST_DIE=1", "WAGGLE_TEST_ISOLATED=", "WAGGLE_TEST_HOST=1")
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Errorf("child: %v\n%s", err, out)
		}
	}
	ns.Do(t, func() {
		die()
		if n, err := RemoveStale("lo"); n != 2 || err != nil {
			t.Errorf("removed %d, %v; want 2", n, err)
		}
		die()
	})
	h := loadHook(t, "on_tcx")
	path := fmt.Sprintf("/proc/self/fd/%d", ns.FD())
	if _, err := h.Attach("on_tcx", Target{Interfaces: []string{"lo"}, TC: Clsact, NetNS: path}); err != nil {
		t.Fatal(err)
	}
	ns.Do(t, func() {
		// Attaching has removed the others.
		if n, err := RemoveStale("lo"); n != 0 || err != nil {
			t.Errorf("removed %d more, %v", n, err)
		}
		loop(t, 3)
		if _, err := RemoveStale("nope0"); err == nil {
			t.Error("absent interface: no error")
		}
	})
	if runsOf(t, h, runTCX) == 0 {
		t.Error("the filter of this process is gone")
	}
}

// dieAttached attaches two filters and dies without a word.
func dieAttached(t *testing.T) {
	h := loadHook(t, "on_tcx", "on_tc")
	if _, err := h.AttachAll(Targets{Target: Target{Interfaces: []string{"lo"}, TC: Clsact}}); err != nil {
		t.Fatal(err)
	}
	p, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	p.Kill()
	time.Sleep(time.Second)
}

// TestClsactIsRemoved checks that the queueing discipline goes with the last
// of several filters, and stays if it was there before.
func TestClsactIsRemoved(t *testing.T) {
	has := func(want bool) {
		t.Helper()
		if got := hasClsact(t); got != want {
			t.Errorf("clsact is there: %v, want %v", got, want)
		}
	}
	clsact := Target{Interfaces: []string{"lo"}, TC: Clsact}
	a, b := loadHook(t, "on_tcx", "on_tc"), loadHook(t, "on_tcx")
	if _, err := a.AttachAll(Targets{Target: clsact}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Attach("on_tcx", clsact); err != nil {
		t.Fatal(err)
	}
	has(true)
	a.Close()
	has(true)
	loop(t, 3)
	if runsOf(t, b, runTCX) == 0 {
		t.Error("the second filter is gone")
	}
	b.Close()
	has(false)
}

func hasClsact(t *testing.T) bool {
	t.Helper()
	found := false
	err := rtnl.Do(func(c *rtnl.Conn) error {
		qdiscs, err := c.Qdiscs()
		for _, q := range qdiscs {
			found = found || q.Kind == "clsact" && q.Index == 1
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
