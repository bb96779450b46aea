// Package forward tests "waggle forward" from outside, with the programs people use:
// curl through to nginx, ssh and scp, redis, PostgreSQL, iperf3 and wrk, with every
// engine; and with what goes wrong: a forwarder that is killed or replaced while it
// works, readers that don't read, clients that say nothing.
//
// Everything runs over loopback in the network namespace of the test binary. With
// WAGGLE_LONG=1 it takes minutes instead of seconds.
package forward
