//go:build linux

// Package enginetest is what every engine has to pass. An engine's own tests call
// it once:
//
//	func TestConformance(t *testing.T) {
//		enginetest.Run(t, func(t testing.TB) engine.Engine { ... }, enginetest.Options{})
//	}
//
// It forwards conversations of every shape and compares every byte; it breaks
// connections, stops reading, aborts, and sends urgent data; and it counts what an
// engine holds afterwards. It does so over loopback and between network namespaces,
// over IPv4 and IPv6. With -short it does less, with WAGGLE_LONG=1 more, lossy links
// included.
package enginetest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/internal/testkit"
)

// Options say what is special about an engine.
type Options struct {
	// MayRefuse lists the reasons for which the engine may refuse a pair. Then it
	// is checked that it has not taken a byte. It fails if it refuses all pairs.
	MayRefuse []string
	// Skip lists checks that the engine can't pass, with the reason.
	Skip map[string]string
	// Ended, if not nil, is called when Forward has returned after both streams
	// came whole; the connections are still open. It may look at how the pair was
	// forwarded.
	Ended func(*engine.Pair) error
	// Settled, if not nil, tells whether a pair is forwarded in the way that the
	// engine wants to reach by itself after some bytes. Then everything but what
	// came before Forward is also checked with pairs that have come that far.
	Settled func(*engine.Pair) bool
	// Loopback and Namespaces choose where to test; both if neither is set.
	Loopback, Namespaces bool
	// Buffered is how many bytes that nobody reads an engine may take from a
	// sender at most, its sockets' buffers included; 48 MiB if zero.
	Buffered int64

	only string // checks whose names begin with it
}

func (o Options) withDefaults() Options {
	if !o.Loopback && !o.Namespaces {
		o.Loopback, o.Namespaces = true, true
	}
	if o.Buffered == 0 {
		o.Buffered = 48 << 20
	}
	return o
}

// check is one thing that an engine has to do right. Its name is the test's.
type check struct {
	name string
	when effort
	run  func(*rig) error
}

// effort is how much there is time for.
type effort int

const (
	always effort = iota
	unlessShort
	onlyLong

	// waits marks a check that does little but wait. All of those run at once.
	waits effort = 8
	// alone marks one that must not run beside another.
	alone effort = 16
)

// fits tells whether there is time for something.
func (e effort) fits() bool { return e&^(waits|alone) <= available() }

func available() effort {
	switch {
	case testkit.Long():
		return onlyLong
	case testing.Short():
		return always
	}
	return unlessShort
}

func checks(z size) []check {
	return slices.Concat(conversations(z), early(z), resets(), pressure(), aborts(), crowds(z), oddities())
}

// size is how much the checks do.
type size struct {
	bulk   int64 // bytes of a long stream
	random int   // random scripts
	early  int   // random scripts with a router that has read
	churn  int   // short connections, eight times as many
}

// sizes are those of places with good links, by effort.
var sizes = [...]size{
	always:      {bulk: 256 << 10, random: 10, early: 10, churn: 20},
	unlessShort: {bulk: 8 << 20, random: 40, early: 60, churn: 50},
	onlyLong:    {bulk: 256 << 20, random: 1000, early: 2000, churn: 2000},
}

// chosen are the checks that there is time for, and that the place is good for.
func (r *rig) chosen() []check {
	z, left := sizes[available()], []string(nil)
	switch {
	case r.place.lossy:
		z, left = lossySize, leftOut
	case r.settled && available() < onlyLong:
		z = settledSize
	}
	return slices.DeleteFunc(checks(z), func(c check) bool {
		out := slices.ContainsFunc(left, func(prefix string) bool { return strings.HasPrefix(c.name, prefix) })
		return out || r.settled && c.isEarly() || !c.when.fits() || !strings.HasPrefix(c.name, r.options.only)
	})
}

// isEarly tells whether a check is about what comes before Forward.
func (c *check) isEarly() bool {
	return strings.HasPrefix(c.name, "early/") || strings.Contains(c.name, "before Forward")
}

// What is checked with pairs that settle, which may take each of them a while, and
// over lossy links: an RST is sent once and may be lost; a thousand connections take
// minutes to be made.
var (
	settledSize = size{bulk: 8 << 20, random: 20, churn: 4}
	lossySize   = size{bulk: 1 << 20, random: 30, early: 10, churn: 20}
	leftOut     = []string{"reset/", "crowd/1000"}
)

// Run checks an engine. newEngine is called once for each place; its thread is then
// in the network namespace of the forwarder's connections.
func Run(t *testing.T, newEngine func(t testing.TB) engine.Engine, o Options) {
	t.Helper()
	o = o.withDefaults()
	for _, p := range places(o) {
		if !p.when.fits() {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			place := p.make(t)
			r := &rig{place: place, options: o, times: generous, settled: p.settled}
			if place.lossy {
				r.times = patient
			}
			before := holdings()
			t.Run("engine", func(t *testing.T) { r.run(t, newEngine) })
			if r.isStuck() {
				return // told already; nothing can be said about leaks
			}
			if err := before.waitForReturn(0, r.times.soon); err != nil {
				t.Errorf("after Close: %v", err)
			}
		})
	}
}

// run makes an engine and lets it go through all checks.
func (r *rig) run(t *testing.T, newEngine func(testing.TB) engine.Engine) {
	r.t = t
	r.place.in(t, r.place.forwarder, func() { r.engine = newEngine(t) })
	t.Cleanup(func() {
		if r.isStuck() {
			return // Close must not be called while a Forward runs
		}
		if err := r.engine.Close(); err != nil {
			t.Errorf("close engine: %v", err)
		}
	})
	r.listen(t)
	list := r.chosen()
	results := r.begin(list)
	for _, c := range list {
		t.Run(c.name, func(t *testing.T) {
			if reason := r.options.Skip[c.name]; reason != "" {
				t.Skip(reason)
			}
			if err := results[c.name](); err != nil {
				t.Error(err)
			}
		})
		if r.isStuck() {
			t.Fatal("a Forward does not end; the other checks are left out")
		}
	}
	t.Log(r.account())
	if r.forwarded == 0 {
		t.Error("the engine has refused every pair")
	}
}

// begin returns functions that do a check, or tell the result if it has been done:
// the checks that wait are done at once, here, and so are, some at a time, those of
// pairs that settle, because most of their time they wait for that.
func (r *rig) begin(list []check) map[string]func() error {
	const atOnce = 8
	places := make(chan bool, atOnce)
	results := make(map[string]func() error)
	var running sync.WaitGroup
	for _, c := range list {
		results[c.name] = func() error { return c.run(r) }
		early := c.when&waits != 0 || r.settled && c.when&alone == 0
		if !early || r.options.Skip[c.name] != "" {
			continue
		}
		var err error
		running.Go(func() {
			if c.when&waits == 0 {
				places <- true
				defer func() { <-places }()
			}
			err = c.run(r)
		})
		results[c.name] = func() error { return err }
	}
	running.Wait()
	return results
}

func (r *rig) isStuck() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stuck
}

// account says what became of all pairs.
func (r *rig) account() string {
	text := fmt.Sprintf("%s: %d pairs forwarded", r.engine.Name(), r.forwarded)
	for _, reason := range slices.Sorted(maps.Keys(r.refused)) {
		text += fmt.Sprintf(", %d refused (%s)", r.refused[reason], reason)
	}
	return text
}

// times is how long things may take.
type times struct {
	soon      time.Duration // what takes no time by itself
	reset     time.Duration // an RST on its way from one end to the other
	roundTrip time.Duration // the median one of single bytes
	stall     time.Duration // when nothing moves for so long, a writer counts as blocked
	patience  time.Duration // a conversation
}

// generous are the times that engines have, enough for a busy machine.
var generous = times{soon: 5 * time.Second, reset: time.Second, roundTrip: 20 * time.Millisecond, stall: 300 * time.Millisecond, patience: time.Minute}

// patient are those over lossy links, where a packet may have to be sent again and
// again, after longer and longer times.
var patient = times{soon: time.Minute, reset: time.Minute, roundTrip: 300 * time.Millisecond, stall: 2 * time.Second, patience: 5 * time.Minute}

// within tells an error if something has taken longer than it may.
func within(what string, took, limit time.Duration) error {
	if took <= limit {
		return nil
	}
	return fmt.Errorf("%s took %v, more than %v", what, took.Round(time.Millisecond), limit)
}

var errTimeout = errors.New("it has not")

// eventually waits until a condition holds.
func eventually(what string, limit time.Duration, holds func() bool) error {
	for deadline := time.Now().Add(limit); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("wait %v for %s: %w", limit, what, errTimeout)
		}
	}
	return nil
}
