// Httptrace prints the HTTP requests that arrive on a network interface, one a
// line:
//
//	1.2.3.4 - GET /foo HTTP/1.1
//
// It sees requests whose first line lies in one packet. For all others there is
// waggle trace http.
package main

import (
	"context"
	"flag"
	"fmt"
	"math"
	"os"
	"os/signal"
	"regexp"
	"syscall"

	"github.com/waggle-bpf/waggle/load"
)

//go:generate go run ../../cmd/waggle build ./kern --go zkern.go

func main() {
	device := flag.String("i", "lo", "network interface")
	port := flag.Uint("port", 0, "the servers' port; 0 stands for all")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *device, *port); err != nil {
		fmt.Fprintln(os.Stderr, "httptrace:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, device string, port uint) error {
	if port > math.MaxUint16 {
		return fmt.Errorf("trace port %d: there is none above %d", port, math.MaxUint16)
	}
	obj, err := OpenKern()
	if err != nil {
		return err
	}
	if err := obj.SetPort(uint16(port)); err != nil {
		return err
	}
	k, err := obj.Load(load.Options{})
	if err != nil {
		return err
	}
	defer k.Close() // detaches the program, too

	// The reader comes before the program, so that no request is missed.
	requests, err := k.Requests(load.StreamOptions{})
	if err != nil {
		return err
	}
	defer requests.Close()
	if _, err := k.AttachTrace(load.Target{Interfaces: []string{device}}); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "tracing requests on %s, Ctrl-C ends it\n", device)

	for r, packet := range requests.WithPayload(ctx) {
		// Behind the packet there may be padding.
		if line := requestLine.Find(packet[r.Offset:r.Len]); line != nil {
			fmt.Printf("%v - %s\n", r.Client, line)
		}
	}
	stats, err := requests.Stats()
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%d requests, %d lost\n", stats.Received, stats.Lost())
	return requests.Err()
}

// requestLine is what a request starts with, by RFC 9112: printable characters
// only, which matters on a terminal, because whoever sends a request chooses them.
var requestLine = regexp.MustCompile(`^[A-Z]+ [!-~]+ HTTP/1\.[01]\b`)
