package wake

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/waggle-bpf/waggle/wake/control"
)

// TestReport: a report tells what there is and what has happened.
func TestReport(t *testing.T) {
	s := newServer(t, echo)
	s.delay = time.Hour // until the test lets it come up
	r := start(t, s, func(o *Options) { o.Idle, o.About = time.Hour, control.Target{To: s.addr} })
	if got := r.Report(); got.State != "stopped" || got.To != s.addr || got.PID != os.Getpid() {
		t.Errorf("at first: %+v", got)
	}
	stays, leaves := r.dial(), r.dial()
	r.waits(2)
	got := r.Report()
	if got.State != "starting" || got.Held != 2 || len(got.Waiting) != 2 || got.Waiting[0].Since.After(got.Now) {
		t.Errorf("with two who wait: %+v", got)
	}
	sources := []string{got.Waiting[0].Source.String(), got.Waiting[1].Source.String()}
	for _, c := range []fmt.Stringer{stays.LocalAddr(), leaves.LocalAddr()} {
		if !strings.Contains(strings.Join(sources, " "), c.String()) {
			t.Errorf("%s waits; listed are %s", c, sources)
		}
	}
	leaves.Close()
	r.waits(1)
	if err := s.up(); err != nil {
		t.Fatal(err)
	}
	if err := says(stays, "hello"); err != nil {
		t.Fatal(err)
	}
	r.until("it is known that the client is connected", func() bool { return r.Report().Counts.Forwarded == 1 })
	got = r.Report()
	if got.State != "ready" || got.Connected != 1 || got.LastStart.At.IsZero() || !got.StopAt.IsZero() {
		t.Errorf("with one who is served: %+v", got)
	}
	stays.Close()
	r.until("the target is idle", func() bool { return !r.Report().StopAt.IsZero() })
	want := control.Counts{Clients: 2, Forwarded: 1, Left: 1, Starts: 1, Refused: map[string]uint64{}}
	if diff := cmp.Diff(want, r.Report().Counts); diff != "" {
		t.Error(diff)
	}
	r.finish()
	if got := r.Report(); got.State != "stopped" || got.Counts.Stops != 1 {
		t.Errorf("after the end: %+v", got)
	}
}

// TestReportFailures: what goes wrong is counted, and told.
func TestReportFailures(t *testing.T) {
	s := newServer(t, echo)
	broken := errors.New("start target: no power\nnor light")
	s.fail.Store(&broken)
	r := start(t, s, nil)
	wantsReset(t, r.dial())
	r.until("what is left is stopped", func() bool { return r.Report().Counts.Stops == 1 })
	got := r.Report()
	if got.LastError.Error != "start target: no power; nor light" || got.RetryAt.IsZero() {
		t.Errorf("after a start that failed: %+v", got)
	}
	s.fail.Store(nil)
	if err := talks(r.f.Addrs()[0].String()); err != nil {
		t.Fatal(err)
	}
	s.die(errors.New("exit status 3"))
	r.until("it is known", func() bool { return r.State() == Stopped })
	want := control.Counts{Clients: 2, Forwarded: 1, Starts: 2, StartFailures: 1, Stops: 1, Lost: 1, Refused: map[string]uint64{"target failed": 1}}
	if diff := cmp.Diff(want, r.Report().Counts); diff != "" {
		t.Error(diff)
	}
}

// TestMetrics: the metrics say what the report says, and the manual explains each.
func TestMetrics(t *testing.T) {
	s := newServer(t, echo)
	r := start(t, s, func(o *Options) { o.Held = 1; s.delay = time.Hour })
	waits := r.dial()
	r.waits(1)
	wantsReset(t, r.dial())
	if err := s.up(); err != nil {
		t.Fatal(err)
	}
	if err := says(waits, "hello"); err != nil {
		t.Fatal(err)
	}
	r.until("both are counted", func() bool { c := r.Report().Counts; return c.Forwarded == 1 && c.Clients == 2 })
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(collector{r.Waker})
	server := newHTTP(t, promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	resp, err := http.Get(server)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("%s: %s, %v", resp.Status, text, err)
	}
	for _, line := range []string{
		`waggle_wake_state{state="ready"} 1`, `waggle_wake_state{state="stopped"} 0`,
		`waggle_wake_held 0`, `waggle_wake_connected 1`, `waggle_wake_clients_total 2`, `waggle_wake_forwarded_total 1`,
		`waggle_wake_refused_total{reason="too many clients held"} 1`,
		`waggle_wake_starts_total 1`, `waggle_wake_start_seconds_count 1`, `waggle_wake_hold_seconds_count 1`,
	} {
		if !strings.Contains(string(text), line+"\n") {
			t.Errorf("no %s in\n%s", line, text)
		}
	}
	page, err := os.ReadFile("../docs/wake.md")
	if err != nil {
		t.Fatal(err)
	}
	have, documented := make(map[string]bool), make(map[string]bool)
	for _, m := range regexp.MustCompile(`# HELP (\S+)`).FindAllSubmatch(text, -1) {
		have[string(m[1])] = true
	}
	for _, m := range regexp.MustCompile("`("+prefix+"[a-z_]+)`").FindAllSubmatch(page, -1) {
		documented[string(m[1])] = true
	}
	if diff := cmp.Diff(have, documented); diff != "" {
		t.Errorf("docs/wake.md differs (-have +documented):\n%s", diff)
	}
}
