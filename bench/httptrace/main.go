// Command httptrace measures what "waggle trace http" sees of a real server's
// traffic, and what watching costs the server.
//
//	go run ./bench/httptrace          # as root; about six minutes
//	go run ./bench/httptrace -json    # one object a line
//
// It makes a network namespace of its own with nginx in it, and then
//
//   - sends requests over loopback at rising rates, on 64 connections, IPv4 and IPv6
//     in turn, and compares how many were answered with how many the tracer printed;
//   - sends requests that nobody answers, as packets on a tunnel device, at rates that no
//     server here could serve, each rate several times, to find the highest rate at which
//     at least 0.999 are seen every time, and the lowest at which they are not;
//   - runs wrk with and without the tracer in turn, also with a pipeline of 16, and
//     compares the requests per second, and the CPU time that nginx and wrk take for a
//     request.
//
// The tracer is a process of its own, as a user would run it: this program started
// again, calling httpwatch.Run and writing JSON lines to /dev/null.
//
// All of it runs with the highest priority that ordinary processes can have, so that
// what else the machine does takes little from it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/waggle-bpf/waggle/bench/internal/isolate"
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
	flag.DurationVar(&o.duration, "duration", 3*time.Second, "length of each measurement")
	flag.IntVar(&o.repeats, "repeats", 5, "measurements at each rate when looking for the limit")
	flag.IntVar(&o.rounds, "rounds", 9, "measurements with and without the tracer")
	flag.StringVar(&o.role, "role", "", "what this process does (internal)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if o.role == "watch" {
		return watch(ctx)
	}
	return isolate.Run(ctx, func() error { return measure(ctx, o) })
}

func measure(ctx context.Context, o options) error {
	server, err := startServer()
	if err != nil {
		return err
	}
	defer server.stop()
	for _, part := range []func(context.Context, options, *process) error{accuracy, limits, overhead} {
		if err := part(ctx, o, server); err != nil {
			return err
		}
	}
	return nil
}
