// Sockredirect takes a short cut between the processes of a control group: what
// they send each other over TCP does not pass through TCP.
//
// It is a demonstration and belongs on test machines; the comment of its kernel
// half says why.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/waggle-bpf/waggle/load"
)

//go:generate go run ../../cmd/waggle build ./kern --go zkern.go

func main() {
	group := flag.String("cgroup", "", "control group of the processes; required")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *group); err != nil {
		fmt.Fprintln(os.Stderr, "sockredirect:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, group string) error {
	k, err := LoadKern(load.Options{})
	if err != nil {
		return err
	}
	defer k.Close() // detaches the programs and lets go of the sockets

	// Sockets get the programs that the map has when they come into it, so the
	// map's program comes first. It belongs to the object's only map of sockets.
	if _, err := k.AttachRedirect(load.Target{}); err != nil {
		return err
	}
	if _, err := k.AttachEnrol(load.Target{Cgroup: group}); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "redirecting between processes of %s, Ctrl-C ends it\n", group)

	<-ctx.Done()
	total, err := k.Total.Get()
	if err != nil {
		return err
	}
	fmt.Printf("%d messages redirected, %d bytes; %d passed\n", total.Redirected, total.Bytes, total.Passed)
	return nil
}
