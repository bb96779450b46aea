// Package kern is the kernel half of redirect: what one end of a TCP connection
// sends goes straight into the receive queue of the other end, past TCP, IP and the
// loopback device, as long as that is safe; and the types that both halves share.
//
// # Who
//
// A connection's end is enrolled when it is established (Enrol): first the client's,
// if a listener of the group has seen its request, then the server's, if its sequence
// numbers say that it is the other end of the same connection. Nobody else's sockets
// are touched.
//
// # When
//
// Send decides about every message, under the lock of the socket that sends. Each
// direction takes the steps Learning, Short and one that is final:
//
//   - Learning: through TCP, until the reader has shown that it reads with the
//     system calls that can read from the short cut (splice(2) can't), and from a socket
//     that does not block (see Waits).
//   - Short: it begins at a message that finds everything sent before it read: then
//     nothing is under way in TCP, and nothing can be overtaken.
//   - Final: through TCP for good. What is in the short cut is read first, because
//     the kernel reads that queue before TCP's (tcp_bpf_recvmsg in
//     net/ipv4/tcp_bpf.c).
//
// A client that sends before the server's end is enrolled takes none of them (Alone).
//
// Nothing holds a sender back in the short cut, so it has to leave it when the reader
// doesn't read. Send sees that from the reader's queue itself: it counts what it puts
// there since the queue was last empty.
//
// # Leaving
//
// Sockets that stay in a socket map pay for it with half of their throughput. Worse,
// the kernel then gives wrong answers about what there is to be read in TCP. So when a
// direction has left the short cut, both sockets leave the map: each when its queue is
// empty and nobody can put anything there. The program for messages can't change socket
// maps; what it decides, Enrol carries out: TCP calls it before it sends that very
// message, to ask for header options. So the sockets are ordinary ones again before TCP's
// first byte reaches them. What can't leave at once is left to user space, which is told.
package kern
