// Package sockmap is the engine that joins two connections in a socket map: what one
// receives, the kernel sends out by the other, and no process wakes. As far as
// bench/forward shows, it is no faster for that: a kernel worker has to run instead,
// and bulk data ends up being copied, because that part has no back-pressure of its own.
//
// Three things make it safe:
//
//   - A valve in the program (package kern) bounds what is redirected. What does not
//     fit goes to user space by way of the receive buffer, which holds the sender
//     back when it is full.
//   - Data is told apart by its sequence numbers. The kernel gives the program
//     whatever lies in the queue, including what was read before or sent twice.
//   - An end of stream is passed on when everything before it, counted by both
//     connections, has been handed over to TCP; if the counts differ, both
//     connections are reset.
//
// What can't be made safe: data that waits in the kernel to be sent was acknowledged
// to its sender. If the process is killed, up to a window of it is lost, and the
// receiver sees a clean end.
//
// The engine needs CAP_BPF, CAP_NET_ADMIN and a kernel without the worst bugs of
// socket maps; New tells.
package sockmap

//go:generate go run ../../../cmd/waggle build ./kern --go zkern.go
