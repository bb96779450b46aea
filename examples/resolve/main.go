// Resolve prints the host names that programs look up with the C library:
//
//	curl[4711] example.com: found, 12.3ms
//	curl[4712] nowhere.invalid: name not known, 3.1ms
//
// Programs that bring a resolver of their own, as most written in Go do, and
// programs in containers, which have another C library, are not seen.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/waggle-bpf/waggle/load"
)

//go:generate go run ../../cmd/waggle build ./kern --arch amd64 --go zkern_amd64.go
//go:generate go run ../../cmd/waggle build ./kern --arch arm64 --go zkern_arm64.go

func main() {
	libc := flag.String("libc", "", "path of the C library, if it is not the system's")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *libc); err != nil {
		fmt.Fprintln(os.Stderr, "resolve:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, libc string) error {
	k, err := LoadKern(load.Options{})
	if err != nil {
		return err
	}
	defer k.Close() // detaches the programs, too

	// The reader comes before the programs, so that no call is missed.
	lookups, err := k.Lookups(load.StreamOptions{})
	if err != nil {
		return err
	}
	defer lookups.Close()
	// What is not said here, like the function, the programs' directives say.
	if _, err := k.AttachAll(load.Targets{Target: load.Target{Executable: libc}}); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "watching look-ups, Ctrl-C ends it")

	for l := range lookups.All(ctx) {
		fmt.Printf("%s[%d] %s: %s, %v\n", text(l.Comm[:]), l.PID, text(l.Host[:]), outcome(l.Result), time.Duration(l.Took))
	}
	stats, err := lookups.Stats()
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%d look-ups, %d lost\n", stats.Received, stats.Lost())
	return lookups.Err()
}

// text is a string of C, fit for a terminal.
func text(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}

// outcomes are what getaddrinfo(3) returns most.
var outcomes = map[int32]string{
	0:  "found",
	-2: "name not known",          // EAI_NONAME
	-3: "try again",               // EAI_AGAIN
	-4: "the name server refuses", // EAI_FAIL
	-5: "no address",              // EAI_NODATA
}

func outcome(result int32) string {
	if s, ok := outcomes[result]; ok {
		return s
	}
	return fmt.Sprintf("error %d", result)
}
