// Blockhttp drops the packets that HTTP servers answer with, and prints a line
// for each:
//
//	blocked 10.0.0.2:80 -> 10.0.0.1:40112
//
// It drops by the start of a packet, HTTP/1.1. The sender gets no
// acknowledgement and sends the packet again, so that one response makes several
// lines.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"syscall"

	"github.com/waggle-bpf/waggle/load"
)

//go:generate go run ../../cmd/waggle build ./kern --go zkern.go

func main() {
	device := flag.String("i", "lo", "network interface on which the responses arrive")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *device); err != nil {
		fmt.Fprintln(os.Stderr, "blockhttp:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, device string) error {
	k, err := LoadKern(load.Options{})
	if err != nil {
		return err
	}
	defer k.Close() // detaches the program, too

	// The reader comes before the program, so that no event is missed.
	blocks, err := k.Blocks(load.StreamOptions{})
	if err != nil {
		return err
	}
	defer blocks.Close()
	if _, err := k.AttachDrop(load.Target{Interfaces: []string{device}}); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "blocking responses on %s, Ctrl-C ends it\n", device)

	for b := range blocks.All(ctx) {
		fmt.Printf("blocked %v -> %v\n",
			netip.AddrPortFrom(b.Src.Netip(), b.SrcPort), netip.AddrPortFrom(b.Dst.Netip(), b.DstPort))
	}
	stats, err := blocks.Stats()
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%d packets blocked\n", stats.Received+stats.Lost())
	return blocks.Err()
}
