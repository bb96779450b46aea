// Connlog prints every change of state of the TCP connections of a control
// group:
//
//	10.0.0.1:40112 -> 10.0.0.2:443  SYN_SENT -> ESTABLISHED
//
// Connections that exist before it starts are not followed.
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
	group := flag.String("cgroup", "/sys/fs/cgroup", "control group whose connections to log")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *group); err != nil {
		fmt.Fprintln(os.Stderr, "connlog:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, group string) error {
	k, err := LoadKern(load.Options{})
	if err != nil {
		return err
	}
	defer k.Close() // detaches the program, too

	// The reader comes before the program, so that no change is missed.
	changes, err := k.Changes(load.StreamOptions{})
	if err != nil {
		return err
	}
	defer changes.Close()
	if _, err := k.AttachWatch(load.Target{Cgroup: group}); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "logging connections of %s, Ctrl-C ends it\n", group)

	for c := range changes.All(ctx) {
		fmt.Printf("%v -> %v  %v -> %v\n",
			netip.AddrPortFrom(c.Local.Netip(), c.LocalPort), netip.AddrPortFrom(c.Remote.Netip(), c.RemotePort),
			c.Old, c.New)
	}
	stats, err := changes.Stats()
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%d changes, %d lost\n", stats.Received, stats.Lost())
	return changes.Err()
}
