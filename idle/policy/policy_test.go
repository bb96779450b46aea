package policy

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/idle/watch"
)

var start = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func TestSignals(t *testing.T) {
	m := New(Config{Idle: time.Minute, Grace: 5 * time.Minute, MinAge: 10 * time.Second, MinBytes: 100, Ignore: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16")}}, start)
	for i, client := range []string{"10.0.0.1:1", "10.0.0.2:1", "10.9.0.1:1", "[fd00::1]:1"} {
		at := start.Add(time.Duration(20*i) * time.Second)
		m.Event(&watch.Event{Kind: watch.Opened, Conn: watch.Conn{ID: uint64(i), Client: netip.MustParseAddrPort(client), Port: 22, Opened: at}, Time: at})
	}
	now := start.Add(65 * time.Second)
	m.Decide(now)
	m.Moved(0, watch.Bytes{In: 1234, Out: 5678901, Known: true}, now)
	m.Moved(1, watch.Bytes{In: 12, Known: true}, now)
	if _, err := m.Hold("backup", 2*time.Hour, now); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, s := range m.Signals(now.Add(time.Second)) {
		fmt.Fprintf(&b, "%s | %s | %t | %s\n", s.Name, s.Value, s.Blocks, s.Until)
	}
	const want = `connections | 4 open, 1 of them count | true | none that counts
  10.0.0.1:1 | to port 22 for 1m6s, 1.2 kB in, 5.7 MB out | true | its end
  10.0.0.2:1 | to port 22 for 46s, 12 B in, 0 B out; counts from 100 B on | false | 
  10.9.0.1:1 | to port 22 for 26s; doesn't count: ignored | false | 
  [fd00::1]:1 | to port 22 for 6s; counts from 10s on | false | 
hold 1 | "backup", 1h59m59s left | true | its end, or waggle idle release 1
grace | up for 1m6s of 5m0s | true | 3m54s more
idle time | not idle | true | 1m0s without any of the above
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &b, want)
	}
}

// TestManyHolds: there is an end to them.
func TestManyHolds(t *testing.T) {
	m := New(Config{Idle: time.Minute}, start)
	for range MaxHolds {
		if _, err := m.Hold("because", time.Minute, start); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := m.Hold("because", time.Minute, start); !errors.Is(err, ErrHolds) {
		t.Errorf("got %v", err)
	}
	if _, err := m.Hold("because", time.Minute, start.Add(2*time.Minute)); err != nil {
		t.Errorf("after the end of the others: %v", err)
	}
}

// TestRandom compares with a model that keeps no state but what happened: the service
// is idle since the last time at which an open connection counted or a hold was there.
func TestRandom(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 7))
		c := Config{Idle: 20 * time.Second}
		if r.IntN(2) == 0 {
			c.MinAge = time.Duration(r.IntN(10)) * time.Second
		}
		m := New(c, start)
		type span struct{ from, to int }
		var spans []span // in which the service is busy, as far as is known
		open := make(map[uint64]int)
		busyAt := func(now int) (busy bool, last int) {
			for _, s := range spans {
				if s.from <= now && now < s.to {
					busy = true
				}
				if s.from < s.to && s.to <= now {
					last = max(last, s.to)
				}
			}
			for _, from := range open {
				busy = busy || from+int(c.MinAge/time.Second) <= now
			}
			return busy, last
		}
		for now := range 200 {
			at := start.Add(time.Duration(now) * time.Second)
			switch id := uint64(r.IntN(4)); r.IntN(8) {
			case 0:
				if _, ok := open[id]; !ok {
					open[id] = now
					m.Event(&watch.Event{Kind: watch.Opened, Conn: watch.Conn{ID: id, Opened: at}, Time: at})
				}
			case 1, 2:
				if from, ok := open[id]; ok {
					delete(open, id)
					if from+int(c.MinAge/time.Second) <= now {
						spans = append(spans, span{from + int(c.MinAge/time.Second), now})
						if from+int(c.MinAge/time.Second) == now {
							spans = append(spans, span{now - 1, now}) // it counted for an instant
						}
					}
					m.Event(&watch.Event{Kind: watch.Closed, Conn: watch.Conn{ID: id, Opened: start.Add(time.Duration(from) * time.Second)}, Time: at})
				}
			case 3:
				if r.IntN(4) == 0 {
					ttl := 1 + r.IntN(5)
					spans = append(spans, span{now, now + ttl})
					if _, err := m.Hold("", time.Duration(ttl)*time.Second, at); err != nil {
						t.Fatal(err)
					}
				}
			}
			d := m.Decide(at)
			busy, last := busyAt(now)
			if d.Busy != busy {
				t.Fatalf("seed %d, second %d: busy %t, want %t", seed, now, d.Busy, busy)
			}
			if !busy && d.Since != start.Add(time.Duration(last)*time.Second) {
				t.Fatalf("seed %d, second %d: idle since %v, want %d", seed, now, d.Since.Sub(start), last)
			}
		}
	}
}
