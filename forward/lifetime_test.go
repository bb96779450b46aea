package forward

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/forward/config"
	"github.com/waggle-bpf/waggle/forward/route"
)

// TestLifetimeInEveryPhase: a connection that isn't forwarded yet gets no older than others.
func TestLifetimeInEveryPhase(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(*testing.T) *config.Config{
		"reading": func(t *testing.T) *config.Config {
			_, cfg := reluctant(t)
			return cfg
		},
		"reading, with all the time in the world": func(t *testing.T) *config.Config {
			_, cfg := reluctant(t)
			cfg.Timeouts.Header = 0
			return cfg
		},
		"dialing": func(t *testing.T) *config.Config {
			cfg := configure(full(t))
			cfg.Groups[0].ConnectTimeout = time.Hour
			return cfg
		},
		"greeting": func(t *testing.T) *config.Config {
			_, cfg := reluctant(t)
			return cfg
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := make(t)
			if cfg.Timeouts.Header > 0 {
				cfg.Timeouts.Header = time.Hour
			}
			cfg.Timeouts.Lifetime = 300 * time.Millisecond
			if name == "greeting" {
				cfg.Timeouts.Lifetime = time.Second // to send as much
			}
			r := start(t, cfg)
			c := r.dial()
			if name == "greeting" {
				go func() { _, _ = io.WriteString(c, strings.Repeat("x", reluctantHead)) }()
			}
			wantsReset(t, c)
			if l := r.ended(); l.Refused != aged {
				t.Errorf("got log line %+v", l)
			}
		})
	}
}

// TestStuckBackendWithoutTimeout: where clients have all the time in the world, backends
// don't.
func TestStuckBackendWithoutTimeout(t *testing.T) {
	t.Parallel()
	_, cfg := reluctant(t)
	cfg.Timeouts.Header = 0
	cfg.Groups[0].ConnectTimeout = 300 * time.Millisecond
	r := start(t, cfg)
	c := r.dial()
	go func() { _, _ = io.WriteString(c, strings.Repeat("x", reluctantHead)) }()
	wantsReset(t, c)
	if l := r.ended(); l.Refused != backendStuck {
		t.Errorf("got log line %+v", l)
	}
}

// TestIdleBegins: the time that a client took to say where it wants to go is not idle time.
func TestIdleBegins(t *testing.T) {
	t.Parallel()
	s := serve(t, nil)
	cfg := configure(s.addr())
	cfg.Timeouts.Idle = 800 * time.Millisecond
	cfg.Listeners[0].Default = nil
	routes(t, cfg, route.Rule{Name: "all", When: route.Match{Prefix: []string{"x"}}, Target: "out"})
	r := start(t, cfg)
	c := r.dial()
	time.Sleep(cfg.Timeouts.Idle)
	send(t, c, "x") // not moved by an engine, so it doesn't count either
	b := s.next(t)
	expect(t, b, "x")
	time.Sleep(cfg.Timeouts.Idle / 2) // the janitor looks every quarter
	send(t, c, "y")
	expect(t, b, "y")
}
