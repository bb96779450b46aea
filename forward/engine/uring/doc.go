// Package uring is the engine that moves bytes with io_uring: a few rings, each with
// a thread that serves many pairs. A connection's receive request stays in the ring
// and completes again and again (multishot), into buffers that all pairs of the ring
// share; an idle connection holds none.
//
// A direction whose sink is slow stops receiving when it holds some buffers, and goes
// on when the sink has taken them: so a slow reader slows the writer, and nothing
// piles up.
package uring
