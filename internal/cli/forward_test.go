package cli

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/forward"
	"github.com/waggle-bpf/waggle/forward/backend"
	"github.com/waggle-bpf/waggle/forward/route"
	"github.com/waggle-bpf/waggle/internal/testkit"
)

// TestPrintStatus prints a forwarder in trouble.
func TestPrintStatus(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	addr := netip.MustParseAddrPort
	s := &forward.Status{
		PID: 42, Started: now.Add(-50 * time.Hour), Draining: true,
		Listeners: []forward.ListenerStatus{{Name: "web", Address: addr("[::]:443"), Engine: "auto"}},
		Backends: []backend.Status{
			{Group: "web", Target: "10.0.0.1:443", State: backend.Up, Since: now.Add(-50 * time.Hour), Active: 3, Dials: 1000},
			{Group: "web", Target: "web.internal:443", State: backend.Unresolved, Since: now.Add(-90 * time.Second), Why: "no such host"},
		},
		Engines: []forward.EngineStatus{
			{Name: "packet", Problem: "start engine packet: load programs: needs CAP_BPF"},
			{Name: "splice"},
		},
		Limit: 9712, Open: 3, LogLost: 7,
		Moving: map[string]int{"splice": 1, "packet": 1},
		Connections: []forward.ConnStatus{
			{Client: addr("10.0.0.9:40000"), Source: addr("192.0.2.7:4711"), Started: now.Add(-3 * time.Hour), Phase: "forwarding",
				Route: "api", Backend: "10.0.0.1:443", Engine: "packet", EngineWhy: "spliced after 163µs", Up: 1023, Down: 5 << 30},
			{Client: addr("[2001:db8::1]:40001"), Started: now.Add(-time.Second), Phase: "dialing"},
		},
	}
	var b strings.Builder
	if err := printStatus(&b, s, now); err != nil {
		t.Fatal(err)
	}
	testkit.Golden(t, "testdata/forward_status.golden", []byte(b.String()))
}

// TestToken: a route takes the token that the command makes from the same file, for its own
// scope.
func TestToken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte("0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	args := []string{"forward", "token", "--key", "file:" + path, "--scope", "db"}
	if err := run(args, &env{ctx: t.Context(), stdout: &out, stderr: &out}); err != nil {
		t.Fatal(err)
	}
	for scope, want := range map[string]route.Verdict{"db": route.Matched, "mail": route.NoRoute} {
		token := &route.Token{In: route.InLine, Scope: scope, Keys: route.Keys{[]byte("0123456789abcdef")}}
		table, err := route.Compile([]route.Rule{{Name: "in", When: route.Match{Token: token}, Target: "db"}}, route.Options{})
		if err != nil {
			t.Fatal(err)
		}
		line := "TOKEN " + out.String() + "and more"
		if d := table.Decide(route.Conn{}, route.Input{Bytes: []byte(line)}); d.Verdict != want {
			t.Errorf("scope %s: got %+v", scope, d)
		}
	}
}
