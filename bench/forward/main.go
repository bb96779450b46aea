// Command forward measures TCP forwarders side by side: every engine of "waggle
// forward", HAProxy, nginx, systemd-socket-proxyd and socat, and the same traffic
// without a forwarder.
//
//	go run ./bench/forward                          # as root; a quarter of an hour
//	go run ./bench/forward -run bulk -peers direct,splice,haproxy -seconds 1
//
// It needs haproxy, nginx with libnginx-mod-stream, systemd and socat installed, writes
// their configurations itself, and runs everything in a network namespace of its own,
// over loopback, with cubic on all sides. In each round every peer is measured after
// the other; a peer's process lives for one measurement, in a cgroup of its own, from
// which its CPU time, memory and system calls are read. Figures are medians of the
// rounds; those that direct has, too, have their ratio to it beside them.
//
//	measure  columns             what is done
//	bulk     Gb/s, CPU s/GB,     a connection carries as much as it can, server to
//	         all s/GB            client; "CPU" is the time of the forwarder's processes,
//	                             "all" that of the whole machine
//	         8x Gb/s             the same with eight connections at once
//	rtt      rtt us, p99         64 bytes go there and back: median, 99th percentile
//	         64x rtt us, p99     the same with 64 connections at once
//	connect  conns/s, us/conn    32 clients connect, exchange 64 bytes and close, as often
//	                             as they can; "us" is the CPU time of the forwarder
//	         slowest ms          the longest of these connections; one that stalls shows
//	                             here, one that fails or gets wrong bytes ends the run
//	idle     KiB/idle            10,000 connections exchange a byte and stay open, fewer if
//	                             the limit of open files or the engine says so (socat:
//	                             500, it has a process for each); the forwarder's memory
//	                             for each (PSS)
//	calls    calls/MB            bulk again, for the forwarder's system calls, which a
//	                             kernel program counts
//
// "all" includes the ends of the connection, interrupts and kernel workers. On two
// cores the ends take most of it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/waggle-bpf/waggle/bench/internal/isolate"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "forward:", err)
		os.Exit(1)
	}
}

type options struct {
	seconds         float64
	rounds          int
	measures, peers string
	waggle          string
	json            bool
}

func (o *options) duration() time.Duration { return time.Duration(o.seconds * float64(time.Second)) }

func run() error {
	var o options
	flag.Float64Var(&o.seconds, "seconds", 2, "length of a measurement")
	flag.IntVar(&o.rounds, "rounds", 3, "rounds")
	flag.StringVar(&o.measures, "run", "", "measures, separated by commas: "+strings.Join(names(measures), ", "))
	flag.StringVar(&o.peers, "peers", "", "peers, separated by commas: "+strings.Join(names(peers), ", "))
	flag.StringVar(&o.waggle, "waggle", "", "the waggle binary; built if not given")
	flag.BoolVar(&o.json, "json", false, "print every figure of every round as a JSON line")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return isolate.Run(ctx, func() error {
		if err := furnish(); err != nil {
			return err
		}
		return compare(ctx, &o)
	}, isolate.SteadyThreads)
}

// commands set the namespace up. Only the machine's own namespace can change the
// default congestion control freely; a route's is taken before it.
var commands = []string{
	"ip route replace local 127.0.0.0/8 dev lo table local proto kernel scope host src 127.0.0.1 congctl cubic",
	"ip route replace local 127.0.0.1 dev lo table local proto kernel scope host src 127.0.0.1 congctl cubic",
}

// furnish makes the namespace fit for many connections.
func furnish() error {
	for _, line := range commands {
		args := strings.Fields(line)
		path, err := find(args[0])
		if err != nil {
			return err
		}
		if out, err := exec.Command(path, args[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", line, err, out)
		}
	}
	const ports = "/proc/sys/net/ipv4/ip_local_port_range"
	if err := os.WriteFile(ports, []byte("10000 65000"), 0); err != nil {
		return fmt.Errorf("widen the range of ports: %w", err)
	}
	return nil
}

// openFiles raises the limit of open files, for the forwarders, too, as far as that
// is allowed, and returns it.
func openFiles() (int, error) {
	const wanted = 100_000
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return 0, fmt.Errorf("read limit of open files: %w", err)
	}
	if files.Max < wanted {
		more := syscall.Rlimit{Cur: wanted, Max: wanted}
		if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &more) == nil {
			files = more
		}
	}
	files.Cur = files.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return 0, fmt.Errorf("raise limit of open files: %w", err)
	}
	return int(min(files.Cur, wanted)), nil
}
