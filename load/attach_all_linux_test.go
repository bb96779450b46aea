package load

import (
	"errors"
	"strings"
	"testing"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

func TestAttachRefuses(t *testing.T) {
	h := loadHook(t)
	check := func(program string, target Target, want string) {
		t.Helper()
		_, err := h.Attach(program, target)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "attach "+program) {
			t.Errorf("%s to %+v: %v, want %q", program, target, err, want)
		}
	}
	lo := []string{"lo"}
	check("absent", Target{}, `no program "absent" in it (it has on_xdp`)
	check("on_xdp", Target{}, "no interface named")
	check("on_xdp", Target{Interfaces: []string{"nope0"}}, `no interface "nope0"`)
	check("on_xdp", Target{Interfaces: lo, XDP: XDPDriver}, "it cannot run xdp in that mode")
	check("on_tc_any", Target{Interfaces: lo}, "no direction")
	check("on_cgroup_skb", Target{Cgroup: "/"}, "no direction")
	check("on_connect4", Target{}, "no control group named")
	check("on_connect4", Target{Cgroup: "/absent"}, "open control group")
	check("on_connect4", Target{Cgroup: "/proc/version"}, "not a directory")
	check("on_connect4", Target{Cgroup: "/proc"}, "not a control group of version 2; those are at /")
	check("on_tp", Target{Tracepoint: "sock/absent"}, "this kernel has no tracepoint sock/absent")
	check("on_tp", Target{Tracepoint: "absent"}, "want GROUP/NAME")
	check("on_raw_tp", Target{Tracepoint: "absent"}, "this kernel has no raw tracepoint absent")
	check("on_perf", Target{}, "no event named")
	check("on_perf", Target{Event: &PerfEvent{}}, "neither period nor frequency")
	check("on_msg", Target{Map: "absent"}, `no map "absent"`)

	if _, err := h.Attach("on_xdp", Target{Interfaces: lo}); err != nil {
		t.Fatal(err)
	}
	check("on_xdp", Target{Interfaces: lo}, "to lo: it has an xdp program already")
}

// TestAttachNever checks that what cannot be attached says so.
func TestAttachNever(t *testing.T) {
	h := loadObject(t, openObject(t, "never.o"), Options{})
	for program, want := range map[string]string{
		"on_syscall": "syscall programs cannot be attached: they are run with Program.Run",
		"on_devmap":  "xdp/devmap programs cannot be attached: put it into a device or CPU map",
		"on_action":  "action programs cannot be attached: actions belong to filters",
		"on_skb":     "sk_skb programs cannot be attached: its section names neither",
		"on_lwt":     "lwt_in programs cannot be attached: they belong to a route",
	} {
		_, err := h.Attach(program, Target{})
		if !errors.Is(err, ErrNotAttachable) || err.Error()[:len("attach "+program)] != "attach "+program || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", program, err, want)
		}
	}
	if _, err := h.AttachAll(Targets{}); !errors.Is(err, ErrNotAttachable) {
		t.Errorf("all of them: %v", err)
	}
	if _, err := h.AttachAll(Targets{Skip: []string{"on_syscall", "on_devmap", "on_action", "on_skb", "on_lwt"}}); err == nil || !strings.Contains(err.Error(), "none is left") {
		t.Errorf("none of them: %v", err)
	}
	if _, err := h.AttachAll(Targets{Skip: []string{"absent"}}); err == nil || !strings.Contains(err.Error(), "no program") {
		t.Errorf("skip of an absent program: %v", err)
	}
	if _, err := h.AttachAll(Targets{For: map[string]Target{"absent": {}}}); err == nil || !strings.Contains(err.Error(), "no program") {
		t.Errorf("target for an absent program: %v", err)
	}
}

// TestAttachAllUndoes makes the last of several programs fail: those before
// are detached again.
func TestAttachAllUndoes(t *testing.T) {
	h := loadHook(t, "on_xdp", "on_tcx", "on_tc", "on_tp")
	_, err := h.AttachAll(Targets{
		Target: Target{Interfaces: []string{"lo"}, TC: Clsact},
		For:    map[string]Target{"on_tp": {Tracepoint: "sock/absent"}},
	})
	if err == nil {
		t.Fatal("no error")
	}
	if n := len(h.Links()); n != 0 {
		t.Errorf("%d links", n)
	}
	loop(t, 3)
	for _, counter := range []uint32{runXDP, runTCX, runTC} {
		if n := runsOf(t, h, counter); n != 0 {
			t.Errorf("counter %d: ran %d times", counter, n)
		}
	}
	// One interface of two is wrong.
	if _, err := h.Attach("on_xdp", Target{Interfaces: []string{"lo", "nope0"}}); err == nil {
		t.Fatal("no error")
	}
	if _, err := h.Attach("on_xdp", Target{Interfaces: []string{"lo"}}); err != nil {
		t.Errorf("lo is not free: %v", err)
	}
	// Closed handles take no more links.
	h.Close()
	if _, err := h.Attach("on_tcx", Target{Interfaces: []string{"lo"}}); err == nil {
		t.Error("attached a closed handle")
	}
}

// TestAttachAllTailCalls checks that programs of a program array are left to
// their callers.
func TestAttachAllTailCalls(t *testing.T) {
	h := loadObject(t, openObject(t, "maps.o"), Options{PinPath: pinDir(t)})
	links, err := h.AttachAll(Targets{Target: Target{Interfaces: []string{"lo"}, Direction: Ingress}, Skip: []string{"fault"}})
	testkit.Need(t, err)
	if len(links) != 1 || links[0].Program() != "main_prog" {
		t.Errorf("links %v", links)
	}
}

// TestAttachBesideOthers attaches two programs to one place: both see every
// packet, as both return TCX_NEXT, and one goes without the other.
func TestAttachBesideOthers(t *testing.T) {
	for _, mode := range []TCMode{TCAuto, Clsact} {
		a, b := loadHook(t, "on_tcx"), loadHook(t, "on_tcx")
		target := Target{Interfaces: []string{"lo"}, TC: mode}
		for _, h := range []*Handle{a, b} {
			if _, err := h.Attach("on_tcx", target); err != nil {
				t.Fatal(err)
			}
		}
		loop(t, 5)
		first, second := runsOf(t, a, runTCX), runsOf(t, b, runTCX)
		if first == 0 || first != second {
			t.Errorf("mode %d: %d packets met the first program, %d the second", mode, first, second)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
		loop(t, 5)
		if runsOf(t, b, runTCX) == second {
			t.Errorf("mode %d: the second program went with the first", mode)
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
