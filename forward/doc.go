// Package forward accepts TCP connections, finds out from their first bytes where
// they go, dials, and hands both connections to an engine that moves the rest.
//
//	f, err := forward.New(cfg, forward.Options{})
//	if err != nil {
//		return err
//	}
//	defer f.Close()
//	<-ctx.Done()
//	f.Drain(cfg.Drain)
//
// A connection goes through accept (limits), its head (PROXY header, first bytes,
// deadline), a decision (package route), a dial (package backend), the greeting of the
// backend (PROXY header, the first bytes) and an engine (package engine). The
// configuration it was accepted under stays its own to the end; loading another one
// changes what new connections get.
//
// Every connection costs one goroutine before it is forwarded and two at most after
// that. Time-outs have no timers of their own: a janitor looks at all connections once
// a second. Nothing is unbounded: connections by configuration and by the file
// descriptors there are, what is read of a client by the limit of its head.
package forward
