//go:build linux

// Command idle measures what waggle idle costs while it watches, by each of its
// watchers.
//
//	go run ./bench/idle            # as root; about seven minutes
//	go run ./bench/idle -json      # one object a line
//
// It makes a network namespace of its own, with a service in it that echoes, and
// clients with 0, 1,000 and 10,000 connections, over which messages go back and forth. For
// each watcher it counts, over the same time, what the process that watches has used:
// CPU time and times it was woken (the kernel's counters of its threads), memory of its
// own, and, in a second pass under strace, system calls. Then it measures the time
// from the end of the last connection until the service is being stopped, beyond the
// idle time.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/waggle-bpf/waggle/bench/internal/isolate"
	"github.com/waggle-bpf/waggle/internal/cli"
)

// options are the command's.
type options struct {
	duration time.Duration
	rate     int
	rounds   int
	json     bool
	watcher  string // "" for all
}

// The roles that this program has beside measuring, as its first argument.
const (
	roleWaggle = "waggle"
	roleServe  = "serve"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "idle:", err)
		os.Exit(1)
	}
}

func run() error {
	role := ""
	if len(os.Args) > 1 {
		role = os.Args[1]
	}
	switch role {
	case roleWaggle:
		os.Exit(cli.Run(os.Args[2:], os.Stdin, os.Stdout, os.Stderr))
	case roleServe:
		return serve(os.Args[2])
	}
	var o options
	flag.BoolVar(&o.json, "json", false, "print JSON lines")
	flag.DurationVar(&o.duration, "duration", 20*time.Second, "length of each measurement")
	flag.IntVar(&o.rate, "rate", 200, "messages per second, over all connections")
	flag.IntVar(&o.rounds, "rounds", 5, "measurements of the time to the stop")
	flag.StringVar(&o.watcher, "watcher", "", "measure this one only")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return isolate.Run(ctx, func() error { return measure(ctx, &o) })
}

// watchers are measured one after the other.
var watchers = []string{"sockops", "procfs", "proxy"}

// sizes are the numbers of connections.
var sizes = []int{0, 1000, 10_000}

// row is a line of the table of costs; figures are for a minute.
type row struct {
	Watcher     string  `json:"watcher"`
	Connections int     `json:"connections"`
	CPU         float64 `json:"cpu_ms_per_minute"`
	Wakeups     float64 `json:"wakeups_per_minute"`
	Calls       float64 `json:"calls_per_minute"`
	Memory      float64 `json:"memory_mb"`
}

// delay is the time from the last close to the stop, beyond the idle time.
type delay struct {
	Watcher string    `json:"watcher"`
	Beyond  []float64 `json:"beyond_idle_ms"`
}

func measure(ctx context.Context, o *options) error {
	// The proxy needs two descriptors for each connection, and more for pipes. Who may
	// not raise the limit measures with fewer.
	_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 1 << 17, Max: 1 << 17})
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return err
	}
	mostProxied := int(files.Cur-1000) / 2
	print := func(v any, format string, args ...any) {
		if o.json {
			_ = json.NewEncoder(os.Stdout).Encode(v)
			return
		}
		fmt.Printf(format, args...)
	}
	if !o.json {
		fmt.Printf("%-8s %12s %12s %14s %12s %10s\n", "watcher", "connections", "CPU ms/min", "wake-ups/min", "calls/min", "memory MB")
	}
	chosen := watchers
	if o.watcher != "" {
		chosen = []string{o.watcher}
	}
	for _, watcher := range chosen {
		for _, n := range sizes {
			if watcher == "proxy" {
				n = min(n, mostProxied)
			}
			r, err := cost(ctx, o, watcher, n)
			if err != nil {
				return fmt.Errorf("%s, %d connections: %w", watcher, n, err)
			}
			print(r, "%-8s %12d %12.1f %14.0f %12.0f %10.1f\n", r.Watcher, r.Connections, r.CPU, r.Wakeups, r.Calls, r.Memory)
		}
	}
	for _, watcher := range chosen {
		d := delay{Watcher: watcher}
		for range o.rounds {
			took, err := timeToStop(ctx, watcher)
			if err != nil {
				return fmt.Errorf("%s: %w", watcher, err)
			}
			d.Beyond = append(d.Beyond, float64(took.Microseconds())/1e3)
		}
		slices.Sort(d.Beyond)
		print(d, "%s: stopped %.1f ms after the idle time was over (median of %d; least %.1f, most %.1f)\n",
			d.Watcher, d.Beyond[len(d.Beyond)/2], len(d.Beyond), d.Beyond[0], d.Beyond[len(d.Beyond)-1])
	}
	return nil
}
