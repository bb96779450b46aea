// Command httptrace measures what "waggle trace http" sees of a real server's
// traffic, and what watching costs the server.
//
//	go run ./bench/httptrace          # as root; about three minutes
//	go run ./bench/httptrace -json    # one object a line
//
// It makes a network namespace of its own with nginx in it, and then
//
//   - sends requests over loopback at rising rates, on 64 connections, IPv4 and IPv6
//     in turn, and compares how many were answered with how many the tracer printed;
//   - sends requests that nobody answers, as packets on a tunnel device, at rates that no
//     server here could serve, to find the rate where less than 0.999 are seen;
//   - runs wrk with and without the tracer, and with a pipeline of 16, and compares the
//     requests per second, and the CPU time that nginx and wrk take for a request: on a busy
//     machine only that means anything.
//
// The tracer is a process of its own, as a user would run it: this program started
// again, calling httpwatch.Run and printing JSON lines.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/waggle-bpf/waggle/internal/testkit/rtnl"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "httptrace:", err)
		os.Exit(1)
	}
}

func run() error {
	var o options
	flag.BoolVar(&o.json, "json", false, "print JSON lines")
	flag.DurationVar(&o.duration, "duration", defaultDuration, "length of each measurement")
	flag.StringVar(&o.role, "role", "", "what this process does (internal)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	switch o.role {
	case "watch":
		return watch(ctx)
	case "measure":
		return measure(ctx, o)
	}
	return isolate()
}

// isolate runs this program again in namespaces of its own.
func isolate() error {
	cmd := exec.Command("/proc/self/exe", append([]string{"-role=measure"}, os.Args[1:]...)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Unshareflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS,
		Pdeathsig:    syscall.SIGKILL,
	}
	// Ctrl-C reaches both; the other one cleans up.
	signal.Ignore(os.Interrupt)
	return cmd.Run()
}

func measure(ctx context.Context, o options) error {
	const loopback = 1
	if err := rtnl.Do(func(c *rtnl.Conn) error { return c.SetUp(loopback) }); err != nil {
		return err
	}
	server, err := startServer()
	if err != nil {
		return err
	}
	defer server.stop()
	if err := accuracy(ctx, o); err != nil {
		return err
	}
	return overhead(ctx, o, server)
}
