// Tailcall filters the packets of a network interface by a chain of steps, which
// are named in the order they are to run, and counts how far packets come:
//
//	tailcall -i eth0 ping udp
//	120 at ping, 118 at udp, 90 passed
package main

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/waggle-bpf/waggle/examples/tailcall/kern"
	"github.com/waggle-bpf/waggle/load"
)

//go:generate go run ../../cmd/waggle build ./kern --go zkern.go

// programs are the steps there are.
var programs = map[string]string{
	"ping":      "DropPing",
	"udp":       "DropUDP",
	"fragments": "DropFragments",
}

func main() {
	device := flag.String("i", "lo", "network interface")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: tailcall [-i IFACE] STEP...\nthe steps are %s\n", known())
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *device, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "tailcall:", err)
		os.Exit(1)
	}
}

func known() string { return strings.Join(slices.Sorted(maps.Keys(programs)), ", ") }

func run(ctx context.Context, device string, steps []string) error {
	k, err := LoadKern(load.Options{})
	if err != nil {
		return err
	}
	defer k.Close() // detaches the program, too
	if err := fill(k.Chain, steps); err != nil {
		return err
	}
	// Only the first program is attached. The others run by tail call.
	if _, err := k.AttachEnter(load.Target{Interfaces: []string{device}}); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "filtering %s, Ctrl-C ends it\n", device)

	<-ctx.Done()
	for i, s := range append(steps, "") {
		perCPU, err := k.Reached.Get(uint32(i))
		if err != nil {
			return err
		}
		if i < len(steps) {
			fmt.Printf("%d at %s, ", load.Sum(perCPU), s)
		} else {
			fmt.Printf("%d passed\n", load.Sum(perCPU))
		}
	}
	return nil
}

// fill puts the steps into the chain.
func fill(chain *load.ProgramMap, steps []string) error {
	if len(steps) > kern.MaxSteps {
		return fmt.Errorf("make chain: %d steps, %d is the most there can be", len(steps), kern.MaxSteps)
	}
	for i, s := range steps {
		program, ok := programs[s]
		if !ok {
			return fmt.Errorf("make chain: no step %q, there are %s", s, known())
		}
		if err := chain.Put(uint32(i), program); err != nil {
			return err
		}
	}
	return nil
}
