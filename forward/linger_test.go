package forward

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/forward/route"
)

// polite is a forwarder that refuses politely who begins with TEA.
func polite(t *testing.T) *rig {
	cfg := configure("127.0.0.1:1")
	routes(t, cfg, route.Rule{Name: "teapot", When: route.Match{Prefix: []string{"TEA"}}, Refuse: route.Close})
	return start(t, cfg)
}

// TestPoliteRefusal: who is refused politely sees the end of the stream, also if it has
// sent more than was read of it.
func TestPoliteRefusal(t *testing.T) {
	t.Parallel()
	r := polite(t)
	for _, size := range []int{3, openingSize + 1, lingerBytes / 2} {
		c := r.dial()
		send(t, c, "TEA"+strings.Repeat("x", size-3))
		if got := wantsEnd(t, c); got != "" {
			t.Errorf("got %q", got)
		}
		c.Close()
	}
	for _, l := range r.lines(3) {
		if l.Refused != refusedByRoute {
			t.Errorf("got log line %+v", l)
		}
	}
}

// TestPoliteRefusalEnds: clients who don't go, or don't stop sending, are got rid of.
func TestPoliteRefusalEnds(t *testing.T) {
	t.Parallel()
	r := polite(t)
	stays, sends := r.dial(), r.dial()
	send(t, stays, "TEA")
	go func() {
		for {
			if _, err := sends.Write([]byte("TEA" + strings.Repeat("x", 10_000))); err != nil {
				return
			}
		}
	}()
	wantsEnd(t, stays)
	until(t, "both have been forgotten", func() bool { return r.conns.count.Load() == 0 })
}

// TestFewLinger: most of those who are refused politely are not waited for when they are
// many.
func TestFewLinger(t *testing.T) {
	t.Parallel()
	cfg := configure("127.0.0.1:1")
	cfg.Limits.Connections = 3 * lingerShare
	routes(t, cfg, route.Rule{Name: "teapot", When: route.Match{Prefix: []string{"TEA"}}, Refuse: route.Close})
	r := start(t, cfg)
	var clients []net.Conn
	began := time.Now()
	for range 10 * lingerShare {
		until(t, "there is room", func() bool { return r.conns.count.Load() < 2*lingerShare })
		c := r.dial()
		clients = append(clients, c)
		send(t, c, "TEA")
	}
	if took := time.Since(began); took > 3*lingerTime { // 5 of them if all lingered
		t.Errorf("it took %v", took)
	}
	for _, c := range clients {
		wantsEnd(t, c)
	}
}
