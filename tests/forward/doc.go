// Package forward tests "waggle forward" from outside, with the programs people use:
// curl through to nginx, ssh and scp, redis, PostgreSQL, iperf3 and wrk, with every
// engine; and with what goes wrong: a forwarder that is killed or replaced while it
// works, readers that don't read, clients that say nothing.
//
// What has to hold at scale is here, too, and prints a table or a line: integrity of
// random conversations over loopback, wires and bad links, memory under readers that
// don't read, thousands of silent clients, replacement at a thousand clients a second.
//
// Most of it runs over loopback in the network namespace of the test binary. With
// WAGGLE_LONG=1 it takes twenty minutes instead of one, and the figures are those that
// are promised:
//
//	WAGGLE_LONG=1 go test ./tests/forward -v -timeout 1h
package forward
