package wake

import (
	"fmt"
	"net/netip"
	"time"
)

// State is what a target does, as far as the machine knows.
type State int

// The states.
const (
	Stopped  State = iota // or so it seems: before it is started, it is looked for
	Starting              // it is looked for or started; clients are held
	Ready                 // clients are let through
	Draining              // no new clients: when those that there are have left, it is stopped for good
	Stopping              // clients are held
)

func (s State) String() string {
	return [...]string{"stopped", "starting", "ready", "draining", "stopping"}[s]
}

// task is work that takes time. There is one at most.
type task int

const (
	idling   task = iota
	looking       // whether the target is there already
	starting      // until it is ready
	stopping
)

// place is where a client is.
type place int

const (
	outside place = iota // not come yet, or left
	held
	passing // let through; the target is being dialled
	open    // connected with the target
)

// client is one that has come. The machine alone changes it, and doesn't look at
// the source and the verdicts.
type client struct {
	source   netip.AddrPort
	number   uint64    // in the order in which they came
	came     time.Time // when
	deadline time.Time // until when it is held at most
	waited   bool      // it was held
	place    place
	verdicts chan effect
}

// eventKind is what kind of thing has happened.
type eventKind int

const (
	begun eventKind = iota
	clientCame
	clientDialed  // it is connected with the target
	clientMissed  // it was let through, but the target did not answer
	clientGone    // it has left, from wherever it was
	targetLooked  // err is nil if it is ready
	targetStarted // err is nil if it is ready
	targetStopped // err is nil if it has stopped
	targetExited  // by itself, it seems
	timePassed
	quitAsked // the target won't be needed any more
)

// event is something that has happened.
type event struct {
	kind   eventKind
	client *client
	err    error
}

func (e event) String() string {
	name := [...]string{"begun", "came", "dialed", "missed", "gone", "looked", "started", "stopped", "exited", "time", "quit"}[e.kind]
	if e.client != nil {
		name += fmt.Sprintf(" %d", e.client.number)
	}
	if e.err != nil {
		name += ": " + e.err.Error()
	}
	return name
}

// effectKind is what kind of thing is to be done.
type effectKind int

const (
	holdClient effectKind = iota
	passClient
	refuseClient // because of err
	lookForTarget
	startTarget
	stopTarget
	cancelTask
	finish // nothing will happen any more
)

// effect is something that is to be done. Those that take time are answered by an event.
type effect struct {
	kind   effectKind
	client *client
	err    error
}

func (e effect) String() string {
	name := [...]string{"hold", "pass", "refuse", "look", "start", "stop", "cancel", "finish"}[e.kind]
	if e.client != nil {
		name += fmt.Sprintf(" %d", e.client.number)
	}
	if e.err != nil {
		name += ": " + e.err.Error()
	}
	return name
}
