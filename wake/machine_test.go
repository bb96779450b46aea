package wake

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var errDown = errors.New("down")

// play gives a machine events and returns what it does, a line each. A line of the
// script is an event, perhaps with the number of a client and "ok"; "+1s" lets time
// pass.
func play(t *testing.T, p policy, script string) []string {
	t.Helper()
	m := &machine{policy: p}
	now := time.Unix(0, 0)
	clients := map[string]*client{}
	kinds := map[string]eventKind{
		"came": clientCame, "dialed": clientDialed, "missed": clientMissed, "gone": clientGone,
		"looked": targetLooked, "started": targetStarted, "stopped": targetStopped, "exited": targetExited, "quit": quitAsked,
	}
	var lines []string
	for line := range strings.Lines(script) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		e := event{kind: timePassed}
		if d, ok := strings.CutPrefix(words[0], "+"); ok {
			passed, err := time.ParseDuration(d)
			if err != nil {
				t.Fatal(err)
			}
			now = now.Add(passed)
		} else {
			kind, ok := kinds[words[0]]
			if !ok {
				t.Fatalf("no event %q", words[0])
			}
			e.kind = kind
		}
		switch e.kind {
		case clientCame:
			clients[words[1]] = &client{}
			e.client = clients[words[1]]
		case clientDialed, clientMissed, clientGone:
			e.client = clients[words[1]]
		case targetLooked, targetStarted, targetStopped:
			if words[1] != "ok" {
				e.err = errDown
			}
		}
		var did []string
		for _, f := range m.step(now, e) {
			did = append(did, f.String())
		}
		lines = append(lines, fmt.Sprintf("%s: %s [%s]", strings.Join(words, " "), strings.Join(did, ", "), m.state))
	}
	return lines
}

var usual = policy{held: 3, patience: time.Minute, idle: 10 * time.Second, cleanUp: true}

func TestMachine(t *testing.T) {
	for _, test := range []struct {
		name   string
		policy policy
		script string // with what is expected behind each event
	}{
		{"wake, serve, sleep", usual, `
			came 1: hold 1, look [starting]
			looked no: start [starting]
			came 2: hold 2 [starting]
			started ok: pass 1, pass 2 [ready]
			dialed 1:  [ready]
			dialed 2:  [ready]
			came 3: pass 3 [ready]
			gone 1:  [ready]
			dialed 3:  [ready]
			gone 3:  [ready]
			+60s:  [ready]
			gone 2:  [ready]
			+9s:  [ready]
			+1s: stop [stopping]
			stopped ok:  [stopped]
			+60s:  [stopped]
			came 4: hold 4, look [starting]`},
		{"a start that does no harm", policy{held: 3, patience: time.Minute, harmless: true}, `
			came 1: hold 1, start [starting]
			started ok: pass 1 [ready]
			missed 1: hold 1, start [starting]`},
		{"without idle it never stops", policy{held: 3, patience: time.Minute}, `
			came 1: hold 1, look [starting]
			looked ok: pass 1 [ready]
			dialed 1:  [ready]
			gone 1:  [ready]
			+1000h:  [ready]`},
		{"it is there already", usual, `
			came 1: hold 1, look [starting]
			looked ok: pass 1 [ready]`},
		{"a client comes while it stops", usual, `
			came 1: hold 1, look [starting]
			looked ok: pass 1 [ready]
			dialed 1:  [ready]
			gone 1:  [ready]
			+10s: stop [stopping]
			came 2: hold 2 [stopping]
			stopped ok: look [starting]
			looked no: start [starting]
			started ok: pass 2 [ready]`},
		{"a client that dials keeps it from stopping", usual, `
			came 1: hold 1, look [starting]
			looked ok: pass 1 [ready]
			+1h:  [ready]
			gone 1:  [ready]
			+10s: stop [stopping]`},
		{"idle begins again with each client", usual, `
			came 1: hold 1, look [starting]
			looked ok: pass 1 [ready]
			gone 1:  [ready]
			+9s:  [ready]
			came 2: pass 2 [ready]
			gone 2:  [ready]
			+9s:  [ready]
			+1s: stop [stopping]`},
		{"the last client leaves while it starts", usual, `
			came 1: hold 1, look [starting]
			looked no: start [starting]
			gone 1:  [starting]
			started ok:  [ready]
			+10s: stop [stopping]`},
		{"the last client leaves while it is looked for", usual, `
			came 1: hold 1, look [starting]
			gone 1:  [starting]
			looked no:  [stopped]`},
		{"more than can be held", usual, `
			came 1: hold 1, look [starting]
			came 2: hold 2 [starting]
			came 3: hold 3 [starting]
			came 4: refuse 4: too many clients are waiting already [starting]
			gone 2:  [starting]
			came 5: hold 5 [starting]
			looked ok: pass 1, pass 3, pass 5 [ready]`},
		{"a start fails and is tried again", usual, `
			came 1: hold 1, look [starting]
			looked no: start [starting]
			started no: refuse 1: down, stop [stopping]
			came 2: hold 2 [stopping]
			stopped ok:  [stopped]
			+500ms:  [stopped]
			+500ms: look [starting]
			looked no: start [starting]
			started no: refuse 2: down, stop [stopping]
			stopped ok:  [stopped]
			came 3: hold 3 [stopped]
			+1s:  [stopped]
			+1s: look [starting]
			looked no: start [starting]
			started ok: pass 3 [ready]`},
		{"what could not be started is left as it is", policy{held: 3, patience: time.Minute}, `
			came 1: hold 1, look [starting]
			looked no: start [starting]
			started no: refuse 1: down [stopped]`},
		{"a start fails while others are connected", usual, `
			came 1: hold 1, look [starting]
			looked ok: pass 1 [ready]
			dialed 1:  [ready]
			came 2: pass 2 [ready]
			missed 2: hold 2, look [starting]
			looked no: start [starting]
			started no: refuse 2: down [stopped]`},
		{"it dies, and the next client wakes it", usual, `
			came 1: hold 1, look [starting]
			looked ok: pass 1 [ready]
			dialed 1:  [ready]
			gone 1:  [ready]
			came 2: pass 2 [ready]
			missed 2: hold 2, look [starting]
			looked no: start [starting]
			started ok: pass 2 [ready]`},
		{"its process ends", usual, `
			came 1: hold 1, look [starting]
			looked ok: pass 1 [ready]
			dialed 1:  [ready]
			gone 1:  [ready]
			exited: look [starting]
			looked no:  [stopped]`},
		{"the process that has started it ends", usual, `
			came 1: hold 1, look [starting]
			looked ok: pass 1 [ready]
			dialed 1:  [ready]
			exited: look [starting]
			looked ok:  [ready]`},
		{"it seems ready but does not answer", usual, `
			came 1: hold 1, look [starting]
			looked ok: pass 1 [ready]
			missed 1: hold 1, look [starting]
			looked ok: pass 1 [ready]
			missed 1: hold 1 [stopped]
			+50ms: look [starting]
			looked ok: pass 1 [ready]
			missed 1: hold 1 [stopped]
			+50ms:  [stopped]
			+50ms: look [starting]
			looked ok: pass 1 [ready]
			dialed 1:  [ready]
			came 2: pass 2 [ready]
			missed 2: hold 2, look [starting]`},
		{"who was let through keeps his place", usual, `
			came 1: hold 1, look [starting]
			looked ok: pass 1 [ready]
			came 2: pass 2 [ready]
			missed 2: hold 2, look [starting]
			came 3: hold 3 [starting]
			missed 1: hold 1 [starting]
			looked ok: pass 1, pass 2, pass 3 [ready]`},
		{"nobody is held for ever", usual, `
			came 1: hold 1, look [starting]
			looked no: start [starting]
			+30s:  [starting]
			came 2: hold 2 [starting]
			+30s: refuse 1: waited too long [starting]
			+29s:  [starting]
			+1s: refuse 2: waited too long [starting]
			started ok:  [ready]`},
		{"it can't be stopped", usual, `
			came 1: hold 1, look [starting]
			looked ok: pass 1 [ready]
			gone 1:  [ready]
			+10s: stop [stopping]
			stopped no: look [starting]
			looked ok:  [ready]
			+9s:  [ready]
			+1s: stop [stopping]`},
		{"the end, when nothing runs", usual, `
			quit: finish [stopped]`},
		{"the end, when it runs", usual, `
			came 1: hold 1, look [starting]
			looked no: start [starting]
			started ok: pass 1 [ready]
			gone 1:  [ready]
			quit: stop [stopping]
			came 2: refuse 2: waggle wake ends [stopping]
			quit:  [stopping]
			stopped ok: finish [stopped]`},
		{"the end, when somebody else has started it", usual, `
			came 1: hold 1, look [starting]
			looked ok: pass 1 [ready]
			gone 1:  [ready]
			quit: finish [stopped]`},
		{"the end, while it starts", usual, `
			came 1: hold 1, look [starting]
			looked no: start [starting]
			quit: refuse 1: waggle wake ends, cancel [starting]
			started no: stop [stopping]
			stopped no: finish [stopped]`},
		{"the end, while it is served", usual, `
			came 1: hold 1, look [starting]
			looked no: start [starting]
			started ok: pass 1 [ready]
			came 2: pass 2 [ready]
			dialed 1:  [ready]
			quit:  [draining]
			came 3: refuse 3: waggle wake ends [draining]
			missed 2: refuse 2: waggle wake ends [draining]
			gone 1: stop [stopping]
			stopped ok: finish [stopped]`},
		{"the end, while it stops", usual, `
			came 1: hold 1, look [starting]
			looked ok: pass 1 [ready]
			gone 1:  [ready]
			+10s: stop [stopping]
			quit:  [stopping]
			stopped ok: finish [stopped]`},
		{"the end, of wake alone", policy{held: 3, patience: time.Minute, keep: true}, `
			came 1: hold 1, look [starting]
			looked ok: pass 1 [ready]
			dialed 1:  [ready]
			quit:  [draining]
			gone 1: finish [stopped]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			var script, want []string
			for line := range strings.Lines(test.script) {
				if line = strings.TrimSpace(line); line != "" {
					e, _, _ := strings.Cut(line, ":")
					script = append(script, e)
					want = append(want, line)
				}
			}
			if diff := cmp.Diff(want, play(t, test.policy, strings.Join(script, "\n"))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestWindow: a crowd that was held dials in turns, and those who come meanwhile stand
// behind it.
func TestWindow(t *testing.T) {
	m := &machine{policy: policy{held: 1000, patience: time.Minute}}
	now := time.Unix(0, 0)
	var crowd []*client
	come := func() {
		c := &client{}
		crowd = append(crowd, c)
		m.step(now, event{kind: clientCame, client: c})
	}
	for range 3 * window {
		come()
	}
	var passed []uint64
	take := func(effects []effect) {
		for _, e := range effects {
			if e.kind == passClient {
				passed = append(passed, e.client.number)
			}
		}
	}
	take(m.step(now, event{kind: targetLooked}))
	if len(passed) != window {
		t.Fatalf("%d clients dial at once, want %d", len(passed), window)
	}
	come()
	for i := 0; i < len(passed); i++ {
		take(m.step(now, event{kind: clientDialed, client: crowd[i]}))
	}
	if len(passed) != 3*window+1 || !slices.IsSorted(passed) {
		t.Errorf("let through %d clients, want %d in order: %v", len(passed), 3*window+1, passed)
	}
}

var seed = flag.Uint64("seed", 0, "run TestMachineProperties with this seed only")

// TestMachineProperties gives machines events in random order, as a world sends them
// in which anything may happen at any time, and looks at every step whether what has to
// hold does.
func TestMachineProperties(t *testing.T) {
	seeds := []uint64{*seed}
	if *seed == 0 {
		n := 2000
		if testing.Short() {
			n = 300
		}
		seeds = nil
		for i := range n {
			seeds = append(seeds, uint64(i+1))
		}
	}
	for _, s := range seeds {
		w := newWorld(s)
		for range 300 {
			w.happen()
		}
		w.settle()
		if w.broken != "" {
			t.Fatalf("seed %d: %s\n%s", s, w.broken, strings.Join(w.tail(), "\n"))
		}
	}
}

// FuzzMachine is TestMachineProperties with seeds of the fuzzer's.
func FuzzMachine(f *testing.F) {
	f.Add(uint64(1), uint16(100))
	f.Fuzz(func(t *testing.T, seed uint64, steps uint16) {
		w := newWorld(seed)
		for range steps % 1000 {
			w.happen()
		}
		w.settle()
		if w.broken != "" {
			t.Fatalf("%s\n%s", w.broken, strings.Join(w.tail(), "\n"))
		}
	})
}

// world is what is around a machine: a target that is up or not, and clients.
type world struct {
	m   *machine
	rng *rand.Rand
	now time.Time

	task    task // what the machine has asked for and not got yet
	found   bool // the target was found ready since its last stop began
	quit    bool
	over    bool
	clients map[*client]place // as the world sees them
	last    uint64            // client let through last, since the machine was ready
	starts  int

	story  []string
	broken string
}

func newWorld(seed uint64) *world {
	rng := rand.New(rand.NewPCG(seed, 0))
	w := &world{rng: rng, now: time.Unix(0, 0), clients: make(map[*client]place)}
	w.m = &machine{policy: policy{
		held: 1 + rng.IntN(8), patience: time.Minute,
		cleanUp: rng.IntN(2) == 0, keep: rng.IntN(2) == 0, harmless: rng.IntN(2) == 0,
	}}
	if rng.IntN(4) > 0 {
		w.m.policy.idle = 10 * time.Second
	}
	return w
}

func (w *world) tail() []string { return w.story[max(0, len(w.story)-40):] }

func (w *world) fail(format string, args ...any) {
	if w.broken == "" {
		w.broken = fmt.Sprintf(format, args...)
	}
}

// any is one of the clients that are somewhere, nil if there is none.
func (w *world) any(places ...place) *client {
	var list []*client
	for c, p := range w.clients {
		if slices.Contains(places, p) {
			list = append(list, c)
		}
	}
	if len(list) == 0 {
		return nil
	}
	// Maps have no order, and a seed has to tell the same story each time.
	slices.SortFunc(list, func(a, b *client) int { return int(a.number) - int(b.number) })
	return list[w.rng.IntN(len(list))]
}

func (w *world) coin(err error) error {
	if w.rng.IntN(2) == 0 {
		return err
	}
	return nil
}

// happen lets something happen.
func (w *world) happen() {
	if w.over || w.broken != "" {
		return
	}
	switch w.rng.IntN(12) {
	case 0, 1:
		c := &client{}
		w.clients[c] = outside
		w.step(event{kind: clientCame, client: c})
	case 2, 3:
		if c := w.any(passing); c != nil {
			w.clients[c] = open
			w.step(event{kind: clientDialed, client: c})
		}
	case 4:
		if c := w.any(passing); c != nil {
			w.clients[c] = outside
			w.step(event{kind: clientMissed, client: c, err: errDown})
		}
	case 5, 6:
		if c := w.any(held, passing, open); c != nil {
			delete(w.clients, c)
			w.step(event{kind: clientGone, client: c})
		}
	case 7, 8:
		w.report(w.coin(errDown))
	case 9:
		w.now = w.now.Add(time.Duration(w.rng.IntN(20_000)) * time.Millisecond)
		w.step(event{kind: timePassed})
	case 10:
		w.step(event{kind: targetExited})
	case 11:
		if w.rng.IntN(20) == 0 {
			w.quit = true
			w.step(event{kind: quitAsked})
		}
	}
}

// report ends the task that is under way.
func (w *world) report(err error) {
	kinds := map[task]eventKind{looking: targetLooked, starting: targetStarted, stopping: targetStopped}
	kind, ok := kinds[w.task]
	if !ok {
		return
	}
	if w.task != stopping && err == nil {
		w.found = true
		w.last = 0
	}
	w.task = idling
	w.step(event{kind: kind, err: err})
}

// step tells the machine, and watches what it does.
func (w *world) step(e event) {
	effects := w.m.step(w.now, e)
	did := make([]string, len(effects))
	for i, f := range effects {
		did[i] = f.String()
		w.watch(f)
	}
	w.story = append(w.story, fmt.Sprintf("%v %s: %s [%s]", w.now.Sub(time.Unix(0, 0)), e, strings.Join(did, ", "), w.m.state))
	w.compare()
}

func (w *world) watch(f effect) {
	if w.over {
		w.fail("%s after the end", f)
	}
	switch f.kind {
	case holdClient:
		w.turn(f, outside, held)
	case refuseClient:
		if w.clients[f.client] == held || w.clients[f.client] == outside {
			delete(w.clients, f.client)
		} else {
			w.fail("%s, who is let through", f)
		}
	case passClient:
		if w.clients[f.client] == held {
			if f.client.number < w.last {
				w.fail("%s behind %d", f, w.last)
			}
			w.last = f.client.number
		}
		if !w.found {
			w.fail("%s to a target that was not found ready", f)
		}
		if w.task != idling {
			w.fail("%s while the machine is %s", f, w.m.state)
		}
		w.turn(f, w.clients[f.client], passing)
	case lookForTarget:
		w.begin(f, looking)
	case startTarget:
		w.starts++
		if w.quit {
			w.fail("a start after the end was asked for")
		}
		w.begin(f, starting)
	case stopTarget:
		if w.any(passing, open) != nil {
			w.fail("%s under clients", f)
		}
		w.found = false
		w.begin(f, stopping)
	case cancelTask:
		if w.task != looking && w.task != starting {
			w.fail("cancel of nothing")
		}
	case finish:
		w.over = true
		if w.task != idling || w.any(held, passing, open) != nil {
			w.fail("finish too early")
		}
	}
}

func (w *world) turn(f effect, from, to place) {
	if got, ok := w.clients[f.client]; !ok || got != from {
		w.fail("%s, who is elsewhere", f)
	}
	w.clients[f.client] = to
}

func (w *world) begin(f effect, t task) {
	if w.task != idling {
		w.fail("%s while there is another task", f)
	}
	w.task = t
}

// compare compares the machine's books with the world.
func (w *world) compare() {
	var count [open + 1]int
	for c, p := range w.clients {
		if c.place != p {
			w.fail("client %d is in another place than the machine thinks", c.number)
		}
		if p == held && !w.now.Before(c.deadline) {
			w.fail("client %d is held beyond its time", c.number)
		}
		count[p]++
	}
	if m := w.m; m.state == Stopped && len(m.queue) > 0 && m.next().After(later(m.retryAt, w.now)) {
		w.fail("nobody waits for the next try")
	}
	if m := w.m; len(m.queue) != count[held] || m.passing != count[passing] || m.open != count[open] {
		w.fail("the machine counts %d held, %d passing, %d open; there are %v", len(m.queue), m.passing, m.open, count)
	}
	if count[held] > w.m.policy.held {
		w.fail("%d clients are held, %d may be", count[held], w.m.policy.held)
	}
	if w.m.task != w.task {
		w.fail("the machine thinks of another task")
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// settle makes the world one in which all goes well, and wants the machine to come to
// rest: nobody is held, and a target that has been idle is stopped.
func (w *world) settle() {
	for range 10_000 {
		if w.over || w.broken != "" {
			return
		}
		next := w.m.next()
		switch c := w.any(passing, open); {
		case w.task != idling:
			w.report(nil)
		case c != nil && w.clients[c] == passing:
			w.clients[c] = open
			w.step(event{kind: clientDialed, client: c})
		case c != nil:
			delete(w.clients, c)
			w.step(event{kind: clientGone, client: c})
		case !next.IsZero():
			if next.Before(w.now) {
				w.fail("time that has passed is still waited for")
			}
			w.now = next
			w.step(event{kind: timePassed})
		default:
			w.rested()
			return
		}
	}
	w.fail("the machine does not come to rest")
}

func (w *world) rested() {
	switch {
	case len(w.clients) > 0:
		w.fail("clients are held for ever")
	case w.quit:
		w.fail("the end was asked for and does not come")
	case w.m.state == Ready && w.m.policy.idle > 0:
		w.fail("an idle target is not stopped")
	case w.m.state != Ready && w.m.state != Stopped:
		w.fail("the machine rests in state %s", w.m.state)
	}
}
