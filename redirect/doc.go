// Package redirect lets what the processes of control groups send each other over TCP
// go from socket to socket, past TCP, IP and the loopback device: the tool behind
// "waggle redirect".
//
//	s, err := redirect.Start(redirect.Options{Cgroups: []string{"/sys/fs/cgroup/shop"}})
//	...
//	summary, err := s.Close()
//
// The decisions are made in the kernel, by package kern, whose comment says what makes
// it safe. This package attaches its programs to the groups, tells them about programs
// that read in ways which miss the short cut, takes sockets out of the map that can't
// leave it by themselves, and shows what is going on.
//
// # What is different for the processes
//
// Data on the short cut is not in TCP: TCP_INFO does not count it and tcpdump does not
// see it; if a reader closes without having read all, the sender sees the end of the
// stream and not a reset, until it sends again; docs/redirect.md has the rest. What could
// break a program is left to TCP: sockets that block, SO_ZEROCOPY, splice.
//
// # The end
//
// When a session is closed, connections go on through TCP. If the process is killed
// instead, no new connection is taken; those that were short-cut stay so until they
// end, because the kernel keeps the programs of a socket as long as the socket: nothing
// is lost.
package redirect

//go:generate go run ../cmd/waggle build ./kern --go zkern.go
