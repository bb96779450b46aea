// Command events measures event streams: 128-byte events from a kernel program,
// written in Go and made by waggle's compiler, to a reader in this process. The
// program runs on one CPU, in a loop that does nothing else, the reader on
// another.
//
//	go run ./bench/events                       # as root; about a minute
//	go run ./bench/events -rounds 3 -rate 4e6 Output Batched
//
// It compares the ways of sending (the kernel's default wake-up, batched
// wake-ups with a copy and in place, a perf buffer) and the readers: load.Events
// and, as peer, those of cilium/ebpf. In the first table the program sends as
// fast as it can, and what finds no room is lost; in the second it sends at a
// given rate, at which nothing should be. Rounds alternate between all variants;
// figures are medians. Every round checks that each event sent was received or
// counted as lost, in order, and that none is left unread; if not, the command
// fails.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/waggle-bpf/waggle/compile"
	"github.com/waggle-bpf/waggle/load"
)

func main() {
	var o options
	flag.StringVar(&o.dir, "dir", "bench/events/kern", "directory of the kernel package")
	flag.IntVar(&o.rounds, "rounds", 7, "rounds of each variant")
	flag.IntVar(&o.events, "events", 4_000_000, "events in a round")
	flag.Float64Var(&o.rate, "rate", 2e6, "events per second of the second table")
	flag.Parse()
	o.programs = flag.Args()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "events:", err)
		os.Exit(1)
	}
}

type options struct {
	dir    string
	rounds int
	events int
	rate   float64
	// programs are the ways of sending to measure, by the program's name; all
	// if empty.
	programs []string
}

func (o *options) chosen() []variant {
	return slices.DeleteFunc(slices.Clone(variants), func(v variant) bool {
		return len(o.programs) > 0 && !slices.Contains(o.programs, v.program)
	})
}

func run(ctx context.Context, o options) error {
	made, err := compile.Compile(ctx, compile.Config{Dir: o.dir})
	if err != nil {
		return err
	}
	obj, err := load.OpenBytes("events", made.ELF)
	if err != nil {
		return err
	}
	fmt.Println("as fast as the program can:")
	if err := table(ctx, obj, o, 0); err != nil {
		return err
	}
	fmt.Printf("\nat %.1f million events per second:\n", o.rate/1e6)
	return table(ctx, obj, o, o.rate)
}
