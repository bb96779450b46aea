// Package wake lets a target sleep until somebody wants it. It listens in front of the
// target (a process, a unit, a container, a machine); the first client starts it, all
// clients are held while it starts, and then package forward forwards them. When it
// has been idle, it is stopped again.
//
//	err := wake.Run(ctx, cfg, wake.Options{Start: t, Stop: t, Probe: probe, Timeout: time.Minute, ...}, os.Stdout)
//
// Three parts know nothing of each other's business. The [machine] decides: it is told
// what happens, one thing after the other, and says what is to be done; it has no
// clock, no lock and no goroutine, so that any order of events can be tested. The
// [Waker] is the one goroutine that asks it, with the clock and the work that takes
// time (look whether the target is there, start it, stop it; never two at once). The
// gate is what a client's own goroutine does while it is held. The tally counts what
// happens, for reports (package control) and metrics.
//
// What holds in every order of events:
//
//   - Nobody is forwarded to a target that was not found ready since it was last stopped.
//   - A target is not stopped while a client is forwarded to it, or about to be.
//   - One start for all clients, and never a start and a stop at the same time.
//   - A client that comes at the wrong moment is held, not reset: while the target
//     stops, it waits until it has stopped and is started again.
//   - Clients are let through in the order in which they came.
//   - Every client gets an answer in bounded time, and there are boundedly many.
package wake
