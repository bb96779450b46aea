package wake

import (
	"cmp"
	"errors"
	"slices"
	"time"
)

// policy is what a machine decides by.
type policy struct {
	held     int           // clients that are held at a time
	patience time.Duration // how long a client is held at most
	idle     time.Duration // after how long without clients the target is stopped; 0 for never
	cleanUp  bool          // a target that didn't get ready is stopped
	keep     bool          // the target is not stopped in the end
	harmless bool          // a start of a target that runs does nothing, so it is not looked for before
}

// window is how many of the clients that were held dial at a time. A target that has
// just come up often has a short queue for them.
const window = 32

// How long to wait before the target is tried again, when it failed: a start, or a dial
// although it is ready. Twice as long each time.
const (
	startPause    = time.Second
	maxStartPause = 30 * time.Second
	missPause     = 50 * time.Millisecond
	maxMissPause  = 2 * time.Second
)

// Why clients are turned away, beside that the target could not be started.
var (
	errTooMany = errors.New("too many clients are waiting already")
	errTooLong = errors.New("waited too long")
	errEnding  = errors.New("waggle wake ends")
)

// machine decides what is done with a target and its clients.
type machine struct {
	policy policy
	state  State
	task   task
	ending bool
	over   bool

	queue   []*client // held, in the order in which they came
	number  uint64    // of the last one who came
	passing int
	open    int

	failures int       // starts that failed since the target was ready
	misses   int       // dials that failed since one succeeded
	retryAt  time.Time // not before that a target that failed is tried again
	idleAt   time.Time // when the target has been idle long enough; zero if it isn't
	ran      bool      // the target was started since it was last stopped
	swept    bool      // the target was stopped because this is the end

	now     time.Time
	effects []effect
}

// reactions are what the events lead to, before advance.
var reactions = [...]func(*machine, event){
	begun:         func(m *machine, _ event) { m.look() },
	clientCame:    (*machine).came,
	clientDialed:  (*machine).dialed,
	clientMissed:  (*machine).missed,
	clientGone:    (*machine).gone,
	targetLooked:  (*machine).looked,
	targetStarted: (*machine).started,
	targetStopped: (*machine).stopped,
	targetExited:  (*machine).exited,
	timePassed:    func(*machine, event) {},
	quitAsked:     (*machine).quit,
}

// step takes an event and returns what is to be done, in this order. The effects are
// the caller's until the next step.
func (m *machine) step(now time.Time, e event) []effect {
	m.now, m.effects = now, m.effects[:0]
	reactions[e.kind](m, e)
	m.advance()
	return m.effects
}

func (m *machine) do(kind effectKind) { m.effects = append(m.effects, effect{kind: kind}) }

// busy is how many clients the target has or will have in a moment.
func (m *machine) busy() int { return m.passing + m.open }

// next is when timePassed is due, zero for never.
func (m *machine) next() time.Time {
	var at time.Time
	sooner := func(t time.Time) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	sooner(m.idleAt)
	if len(m.queue) > 0 {
		sooner(m.queue[0].deadline)
		if m.state == Stopped {
			sooner(m.retryAt)
		}
	}
	return at
}

// advance does what has become possible, or due.
func (m *machine) advance() {
	for len(m.queue) > 0 && !m.now.Before(m.queue[0].deadline) {
		m.refuse(m.dequeue(), errTooLong)
	}
	switch {
	case m.ending:
		m.end()
	case m.state == Ready:
		for len(m.queue) > 0 && m.passing < window {
			m.pass(m.dequeue())
		}
		m.rest()
	case m.state == Stopped && len(m.queue) > 0 && m.mayTry():
		m.wake()
	}
	if m.state != Ready {
		m.idleAt = time.Time{}
	}
}

func (m *machine) mayTry() bool { return !m.now.Before(m.retryAt) }

// rest stops a target that has been idle long enough.
func (m *machine) rest() {
	switch {
	case m.policy.idle == 0:
	case m.busy() > 0:
		m.idleAt = time.Time{}
	case m.idleAt.IsZero():
		m.idleAt = m.now.Add(m.policy.idle)
	case !m.now.Before(m.idleAt):
		m.stop()
	}
}

// end brings a machine to its end that was asked to.
func (m *machine) end() {
	switch {
	case m.task != idling: // it will tell
	case m.busy() > 0:
		m.state = Draining
	case m.ran && !m.swept && !m.policy.keep:
		m.swept = true
		m.stop()
	case !m.over:
		m.over = true
		m.state = Stopped
		m.do(finish)
	}
}

// came takes in a client.
func (m *machine) came(e event) {
	m.number++
	c := e.client
	c.number, c.came, c.deadline = m.number, m.now, m.now.Add(m.policy.patience)
	switch {
	case m.ending:
		m.refuse(c, errEnding)
	case m.state == Ready && len(m.queue) == 0:
		m.pass(c)
	default:
		m.hold(c)
	}
}

// hold lets a client wait, in its place, if there is room.
func (m *machine) hold(c *client) {
	if len(m.queue) >= m.policy.held {
		m.refuse(c, errTooMany)
		return
	}
	i, _ := m.find(c)
	m.queue = slices.Insert(m.queue, i, c)
	c.place, c.waited = held, true
	m.effects = append(m.effects, effect{kind: holdClient, client: c})
}

func (m *machine) find(c *client) (int, bool) {
	return slices.BinarySearchFunc(m.queue, c, func(a, b *client) int { return cmp.Compare(a.number, b.number) })
}

func (m *machine) dequeue() *client {
	c := m.queue[0]
	m.queue[0] = nil
	m.queue = m.queue[1:]
	return c
}

func (m *machine) pass(c *client) {
	c.place = passing
	m.passing++
	m.effects = append(m.effects, effect{kind: passClient, client: c})
}

func (m *machine) refuse(c *client, why error) {
	c.place = outside
	m.effects = append(m.effects, effect{kind: refuseClient, client: c, err: why})
}

func (m *machine) refuseAll(why error) {
	for len(m.queue) > 0 {
		m.refuse(m.dequeue(), why)
	}
}

func (m *machine) dialed(e event) {
	m.passing--
	m.open++
	e.client.place = open
	m.misses = 0
}

// missed holds a client again whom the target didn't answer, and doubts the target.
func (m *machine) missed(e event) {
	m.passing--
	if m.ending {
		m.refuse(e.client, errEnding)
		return
	}
	m.hold(e.client)
	if m.state == Ready {
		m.state = Stopped
		m.retryAt = m.now.Add(pause(m.misses, missPause, maxMissPause))
		m.misses++
	}
}

// gone forgets a client.
func (m *machine) gone(e event) {
	switch e.client.place {
	case held:
		i, _ := m.find(e.client)
		m.queue = slices.Delete(m.queue, i, i+1)
	case passing:
		m.passing--
	case open:
		m.open--
	}
	e.client.place = outside
}

// wake starts the target, or finds out first whether that is necessary.
func (m *machine) wake() {
	if m.policy.harmless {
		m.start()
		return
	}
	m.look()
}

func (m *machine) start() {
	m.ran = true
	m.begin(Starting, starting, startTarget)
}

// look finds out whether the target is there, which somebody else may have started.
func (m *machine) look() {
	m.begin(Starting, looking, lookForTarget)
}

// stop stops a target that nobody is forwarded to.
func (m *machine) stop() {
	if n := m.busy(); n > 0 {
		panic("BUG: stop a target that has clients")
	}
	m.begin(Stopping, stopping, stopTarget)
}

func (m *machine) begin(s State, t task, e effectKind) {
	if m.task != idling {
		panic("BUG: two tasks at once")
	}
	m.state, m.task = s, t
	m.do(e)
}

// looked starts the target if it isn't there and somebody wants it.
func (m *machine) looked(e event) {
	m.task = idling
	switch {
	case e.err == nil:
		m.ready()
	case len(m.queue) > 0 && !m.ending && m.mayTry():
		m.start()
	default:
		m.state = Stopped
	}
}

func (m *machine) ready() {
	m.state, m.failures, m.idleAt = Ready, 0, time.Time{}
}

// started lets everybody through, or tells everybody that there is no target.
func (m *machine) started(e event) {
	m.task = idling
	if e.err == nil {
		m.ready()
		return
	}
	m.refuseAll(e.err)
	m.state = Stopped
	m.retryAt = m.now.Add(pause(m.failures+1, startPause, maxStartPause))
	m.failures++
	if m.policy.cleanUp && m.busy() == 0 && !m.ending {
		m.stop()
	}
}

// stopped goes on. Where a target is that could not be stopped has to be found out.
func (m *machine) stopped(e event) {
	m.task, m.state = idling, Stopped
	switch {
	case e.err == nil:
		m.ran = false
	case !m.ending:
		m.look()
	}
}

// exited doubts a target whose process has ended: it may have been one that only
// starts others.
func (m *machine) exited(event) {
	if m.state == Ready && !m.ending {
		m.look()
	}
}

// quit refuses who waits, and lets who is forwarded be.
func (m *machine) quit(event) {
	if m.ending {
		return
	}
	m.ending = true
	m.refuseAll(errEnding)
	if m.task == looking || m.task == starting {
		m.do(cancelTask)
	}
}

// pause is how long to wait after some failures: nothing after none, then twice as
// long each time.
func pause(failures int, first, longest time.Duration) time.Duration {
	if failures == 0 {
		return 0
	}
	return min(first<<min(failures-1, 30), longest)
}
