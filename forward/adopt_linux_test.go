package forward

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/forward/backend"
	"github.com/waggle-bpf/waggle/forward/config"
	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/forward/route"
	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/command"
)

func TestMain(m *testing.M) { command.Main(m, victim) }

// victim is a forwarder that is killed.
func victim() {
	to := flag.String("to", "", "")
	flag.Parse()
	cfg := outliving(*to)
	f, err := New(cfg, Options{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Printf("listening on %v\n", f.Addrs()[0])
	for ; ; time.Sleep(10 * time.Millisecond) {
		if n := f.Status(0).Moving["packet"]; n > 0 {
			fmt.Printf("%d spliced\n", n)
		}
	}
}

// outliving is a configuration whose connections outlive the forwarder.
func outliving(to string) *config.Config {
	c := configure(to)
	c.Listeners[0].Engine = "packet"
	c.Listeners[0].Routes = []route.Rule{{Name: "hello", When: route.Match{Prefix: []string{"hello"}}, Target: "out"}}
	table, err := route.Compile(c.Listeners[0].Routes, route.Options{Max: c.Limits.HeaderBytes})
	if err != nil {
		panic(err)
	}
	c.Listeners[0].Table = table
	return c
}

// TestAdopt takes over the connections of a forwarder that was killed: they are listed,
// counted, timed out and logged like our own.
func TestAdopt(t *testing.T) {
	testkit.RequireRoot(t)
	s := serve(t, echo)
	first := command.Start(t, "-to", s.addr())
	addr := first.Expect(`listening on (\S+)`)[1]
	begun := time.Now()
	idle, busy := dial(t, addr), dial(t, addr)
	for range 5 {
		send(t, idle, "hello")
		expect(t, idle, "hello")
		send(t, busy, "hello")
		expect(t, busy, "hello")
	}
	first.Expect("2 spliced")
	first.Kill()
	send(t, busy, "after")
	expect(t, busy, "after")

	cfg := outliving(s.addr())
	cfg.Listeners[0].Address = netip.MustParseAddrPort(addr)
	cfg.Limits.PerSource = 3
	cfg.Timeouts.Idle = 3 * time.Second
	r := start(t, cfg)
	status := r.Status(-1)
	if status.Open != 2 || status.Moving["packet"] != 2 || len(status.Connections) != 2 {
		t.Fatalf("%d connections are open, %v, want 2: %+v", status.Open, status.Moving, status.Connections)
	}
	for _, c := range status.Connections {
		sum := uint64(25)
		if c.Client.String() == busy.LocalAddr().String() {
			sum = 30
		}
		want := ConnStatus{
			ID: c.ID, Listener: "in", Client: c.Client, Started: c.Started, Phase: "forwarding",
			Route: "hello", Why: c.Why, Group: "out", Backend: s.addr(),
			Engine: "packet", EngineWhy: "adopted", Up: sum, Down: sum, Quiet: c.Quiet,
		}
		if c != want || c.Why == "" || c.Started.Before(begun.Add(-time.Second)) || c.Started.After(time.Now()) {
			t.Errorf("got  %+v\nwant %+v", c, want)
		}
	}
	if n := status.Backends[0].Active; n != 2 {
		t.Errorf("the backend has %d connections, want 2", n)
	}
	if r.scrape(`waggle_forward_connections{listener="in"} `) != "2" {
		t.Error("the metrics don't have 2 connections")
	}

	third := r.dial() // the source may have one more
	r.dialReset()
	until(t, "the metrics count one switched", func() bool {
		send(t, third, "hello")
		expect(t, third, "hello")
		return r.scrape("waggle_forward_switch_seconds_count ") == "1"
	})
	until(t, "the metrics count three with engine packet", func() bool {
		return r.scrape(`waggle_forward_engine_connections{engine="packet",listener="in"} `) == "3"
	})
	third.Close()

	// One sits idle, which ends it; the other one ends by itself.
	for stop := time.Now().Add(cfg.Timeouts.Idle / 2); time.Now().Before(stop); time.Sleep(50 * time.Millisecond) {
		send(t, busy, "alive")
		expect(t, busy, "alive")
	}
	_ = busy.CloseWrite()
	if rest := wantsEnd(t, busy); rest != "" {
		t.Errorf("got %q behind the answer", rest)
	}
	wantsReset(t, idle)
	ends := map[string]line{}
	for _, l := range r.lines(4) { // with the third one, and the one refused
		ends[l.Client] = l
	}
	checkAdopted(t, ends[idle.LocalAddr().String()], string(engine.IdleTimeout), s.addr(), begun)
	checkAdopted(t, ends[busy.LocalAddr().String()], string(engine.ClientClosed), s.addr(), begun)
	if n := r.Status(0).Backends[0].Active; n != 0 {
		t.Errorf("the backend still has %d connections", n)
	}
	if l := ends[idle.LocalAddr().String()]; l.Up != 25 || l.Down != 25 {
		t.Errorf("got log line %+v", l)
	}
}

// scrape returns the value of a metric.
func (r *rig) scrape(name string) string {
	w := httptest.NewRecorder()
	r.metrics.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	_, rest, _ := strings.Cut(w.Body.String(), "\n"+name)
	value, _, _ := strings.Cut(rest, "\n")
	return value
}

func checkAdopted(t *testing.T, l line, end, backend string, begun time.Time) {
	t.Helper()
	if age := time.Since(begun).Seconds(); l.Duration > age || l.Duration < 1 {
		t.Errorf("it lasted %v s, and began %v s ago", l.Duration, age)
	}
	if l.Close != end || l.Listener != "in" || l.Backend != backend || l.Route != "hello" ||
		l.Engine != "packet" || l.EngineWhy != "adopted" || l.Up != l.Down || l.Up < 25 {
		t.Errorf("got log line %+v", l)
	}
}

// TestNote leaves out what there is no room for.
func TestNote(t *testing.T) {
	long := strings.Repeat("x", 100)
	full := note{Listener: "in", Group: "out", Route: long, Why: long, Name: long}
	for _, test := range []struct {
		name   string
		listen string
		target target
		want   note
	}{
		{"everything", "in", target{route: "r", why: "w", name: "n"}, note{Route: "r", Why: "w", Name: "n"}},
		{"no room for why", "in", target{route: long, why: long + long, name: "n"}, note{Route: long, Name: "n"}},
		{"no room for the name", "in", target{route: full.Route, why: full.Why, name: full.Name + long}, note{Route: long}},
		{"room for nothing", strings.Repeat("l", 300), target{}, note{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := &conn{service: &service{name: test.listen}, target: test.target, start: time.UnixMilli(1)}
			g, err := backend.New(configure("127.0.0.1:1").Groups[0].Config, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer g.Close()
			c.target.group = &group{Group: g}
			b := c.note()
			var got note
			if len(b) > engine.MaxNote || b != nil && json.Unmarshal(b, &got) != nil {
				t.Fatalf("%d bytes: %s", len(b), b)
			}
			if b != nil {
				test.want.Listener, test.want.Started, test.want.Group = test.listen, 1, "out"
			}
			if got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}
