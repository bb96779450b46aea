// Package kern is the kernel half of httpwatch and the types that both halves
// share.
//
// The kernel half sees every packet on its way in and out of the watched
// interfaces and sends to user space what may be part of HTTP requests, and as
// little else as possible. It keeps no stream and parses no HTTP: it looks at the
// first bytes of a connection to tell HTTP from the rest, and at the sequence
// numbers to leave out what it has sent before. User space, which knows where
// requests and bodies begin and end, answers with a [Verdict] when a connection is
// not HTTP or the next gigabyte is a file upload.
//
// Each map has one writer: Flows the programs, Verdicts user space (the programs
// only remove what they have seen). Several CPUs may work on one flow at a time
// without a lock; every field is a word, and the worst that a lost update can do is
// to send something twice, which user space sorts out by sequence number. What the
// programs could not send, they count, and mark the flow so that user space does
// not wait for it.
package kern
