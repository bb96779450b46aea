package metrics

import (
	"fmt"
	"net/http/httptest"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waggle-bpf/waggle/forward/backend"
	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/internal/testkit"
)

// scrape returns what Prometheus would get of ours.
func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	var ours strings.Builder
	for line := range strings.Lines(w.Body.String()) {
		if strings.Contains(line, prefix) {
			ours.WriteString(line)
		}
	}
	return ours.String()
}

// TestScrape plays some connections and compares with a file.
func TestScrape(t *testing.T) {
	m := New()
	web, ssh := m.Listener("web"), m.Listener("ssh")

	for range 3 { // begun with copy, spliced, ended
		web.Accepted()
		web.Forwarding("", "copy")
		web.Forwarding("copy", "packet")
		m.Switched(3 * time.Millisecond)
		web.Moved(engine.Up, 100)
		web.Moved(engine.Down, 1<<40)
		web.Forwarding("packet", "")
		web.Closed(engine.ClientClosed, 2*time.Second)
	}
	web.Accepted() // still there
	m.Fallback("packet", "no timestamps")
	web.Forwarding("", "splice")
	web.Moved(engine.Up, 11)

	ssh.Adopted()
	ssh.Forwarding("", "packet")
	ssh.Accepted()
	ssh.HeaderTimeout()
	ssh.Refused("header timeout")
	ssh.Accepted()
	m.DialError("bastion", "refused")
	ssh.Refused("no backend")

	m.LogLost(func() uint64 { return 42 })
	m.Backends(func() []backend.Status {
		up := backend.Status{
			Group: "web", Target: "10.0.0.1:80", Addr: netip.MustParseAddrPort("10.0.0.1:80"), State: backend.Up,
			Active: 1, Dials: 4, Failed: 2, Checks: 7, Latency: 1500 * time.Microsecond,
		}
		down := backend.Status{Group: "bastion", Target: "ssh.internal:22", State: backend.Unresolved}
		return []backend.Status{up, down, up} // the same one twice must not hide all others
	})
	testkit.Golden(t, "testdata/scrape.txt", []byte(scrape(t, m)))
}

// TestSame: a listener that is made again, as after loading a configuration, goes on
// counting.
func TestSame(t *testing.T) {
	m := New()
	a, again, b := m.Listener("a"), m.Listener("a"), m.Listener("b")
	if a != again || a == b {
		t.Error("listeners are told apart by something else than their names")
	}
}

// TestBounds: labels made of what happens are bounded, those of the configuration not.
func TestBounds(t *testing.T) {
	m := New()
	l := m.Listener("a")
	const n = 3 * maxMembers
	for i := range n {
		l.Accepted()
		l.Refused(fmt.Sprint("reason ", i))
		m.DialError(fmt.Sprint("group ", i), "refused")
		m.Listener(fmt.Sprint("listener ", i)).Accepted()
	}
	l.Accepted()
	l.Refused("bad \xff text")
	got := scrape(t, m)
	for what, want := range map[string]int{
		"refused_total{":     maxMembers + 1, // and "other"
		"dial_errors_total{": n,
		"connections_total{": n + 1,
	} {
		if c := strings.Count(got, "\n"+prefix+what); c != want {
			t.Errorf("%d of %s, want %d", c, what, want)
		}
	}
	if want := fmt.Sprintf("%srefused_total{listener=\"a\",reason=\"other\"} %d\n", prefix, n-maxMembers+1); !strings.Contains(got, want) {
		t.Errorf("no %s", want)
	}
}

// TestConcurrently: what many count at once adds up.
func TestConcurrently(t *testing.T) {
	m := New()
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 500 {
				l := m.Listener(fmt.Sprint("l", i%5))
				l.Accepted()
				if w%2 == 0 {
					l.Refused(fmt.Sprint("reason ", i%7))
					continue
				}
				l.Forwarding("", "copy")
				l.Forwarding("copy", "")
				l.Closed(engine.Shutdown, time.Second)
			}
		})
	}
	wg.Wait()
	got := scrape(t, m)
	for i := range 5 {
		for _, want := range []string{
			`connections_total{listener="l%d"} 800`,
			`connections{listener="l%d"} 0`,
			`engine_connections{engine="copy",listener="l%d"} 0`,
			`closed_total{cause="shutdown",listener="l%d"} 400`,
		} {
			if want = prefix + fmt.Sprintf(want, i) + "\n"; !strings.Contains(got, want) {
				t.Errorf("no %s", want)
			}
		}
	}
}

// BenchmarkConnection is all that is counted for one connection.
func BenchmarkConnection(b *testing.B) {
	l := New().Listener("web")
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			l.Accepted()
			l.Forwarding("", "copy")
			l.Forwarding("copy", "packet")
			l.Moved(engine.Up, 1000)
			l.Moved(engine.Down, 1000)
			l.Forwarding("packet", "")
			l.Closed(engine.ClientClosed, time.Second)
		}
	})
}

// TestDocumented: the reference names every metric, and no others.
func TestDocumented(t *testing.T) {
	scraped, err := os.ReadFile("testdata/scrape.txt")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/forward.md")
	if err != nil {
		t.Fatal(err)
	}
	have, documented := make(map[string]bool), make(map[string]bool)
	for _, m := range regexp.MustCompile(`# HELP (\S+)`).FindAllSubmatch(scraped, -1) {
		have[string(m[1])] = true
	}
	for _, m := range regexp.MustCompile("`("+prefix+"[a-z_]+)`").FindAllSubmatch(page, -1) {
		documented[string(m[1])] = true
	}
	if diff := cmp.Diff(have, documented); diff != "" || len(have) == 0 {
		t.Errorf("docs/forward.md differs (-have +documented):\n%s", diff)
	}
}
