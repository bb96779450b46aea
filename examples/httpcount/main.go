// Httpcount counts HTTP requests by client until it is interrupted. Its kernel
// half is the example of the project's README.
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
	device := flag.String("i", "lo", "network interface")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *device); err != nil {
		fmt.Fprintln(os.Stderr, "httpcount:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, device string) error {
	k, err := LoadKern(load.Options{})
	if err != nil {
		return err
	}
	defer k.Close() // detaches the program, too
	if _, err := k.AttachCount(load.Target{Interfaces: []string{device}}); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "counting requests on %s, Ctrl-C ends it\n", device)

	<-ctx.Done()
	for client, n := range k.Requests.All(&err) {
		fmt.Println(client, n)
	}
	return err
}
