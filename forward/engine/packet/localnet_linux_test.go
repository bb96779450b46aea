package packet

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

// rules returns the rules for loopback in a namespace.
func rules(t *testing.T, ns *testkit.NS) string {
	t.Helper()
	var all []string
	ns.Do(t, func() {
		for _, path := range loopbackRules {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Error(err)
			}
			all = append(all, strings.TrimSpace(string(text)))
		}
	})
	return strings.Join(all, " ")
}

// TestLocalNet: the rules of loopback stay relaxed as long as anybody needs them.
func TestLocalNet(t *testing.T) {
	testkit.RequireRoot(t)
	here := testkit.NewNS(t)
	user := func() *localNet {
		l := &localNet{}
		var err error
		here.Do(t, func() { l.ns, err = openNetNS() })
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.ns.close() })
		return l
	}
	do := func(want string, f func() error) {
		t.Helper()
		if err := f(); err != nil {
			t.Fatal(err)
		}
		if got := rules(t, here); got != want {
			t.Fatalf("the rules are %s, want %s", got, want)
		}
	}
	before := rules(t, here)
	a, b, killed := user(), user(), user()
	do("1 1", a.relax)
	do("1 1", b.relax)
	do("1 1", func() error { return a.close(false) })
	do(before, func() error { return b.close(false) })

	// Connections that go on need them, and what a process has written down that
	// was killed serves the last one.
	do("1 1", killed.relax)
	do("1 1", func() error { return killed.close(true) })
	do("1 1", a.relax)
	do(before, func() error { return a.close(false) })

	// Others may set them.
	do("1 1", a.relax)
	here.Do(t, func() {
		if err := os.WriteFile(loopbackRules[0], []byte("0"), 0); err != nil {
			t.Error(err)
		}
	})
	a.checked = time.Time{}
	do("1 1", a.relax)
	do(before, func() error { return a.close(false) })
}
