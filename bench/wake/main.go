// Command wake measures what "waggle wake" adds to a cold start: to the time from a
// client's first packet to the target's first answer, compared with starting the same
// target by hand and with socket activation.
//
//	go run ./bench/wake                       # as root; two minutes
//	go run ./bench/wake -boots 0s,1s -rounds 5
//
// The target is a small server that needs some time (the row) until it listens, or until
// it accepts if it gets its socket from systemd. It is started anew in each round:
//
//	direct       by this program, which then tries to connect every millisecond
//	activated    by systemd-socket-activate, which waits for the first packet; the target
//	             has to be written for that, and nobody listens for the next start
//	wake         by "waggle wake", engine splice; the client just connects
//	added        wake without direct, of the same round
//	100 clients  the same with 100 clients at once, until the last one has its answer
//
// Times are milliseconds, medians of the rounds, with the highest behind them. The
// second table is what moves the bytes afterwards, by --engine, with the time of 64
// bytes there and back in microseconds, without wake ("direct") and through it.
//
// Everything runs in a network namespace of its own, over loopback.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/waggle-bpf/waggle/bench/internal/isolate"
)

func main() {
	if spec := os.Getenv(serverEnv); spec != "" {
		exitOn(serve(spec))
		return
	}
	exitOn(run())
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "wake:", err)
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	rounds int
	boots  []time.Duration
	waggle string
}

func run() error {
	var o options
	boots := flag.String("boots", "0s,50ms,300ms,1s", "how long the target takes until it listens, separated by commas")
	flag.IntVar(&o.rounds, "rounds", 15, "rounds")
	flag.StringVar(&o.waggle, "waggle", "", "the waggle binary; built if not given")
	flag.Parse()
	for text := range strings.SplitSeq(*boots, ",") {
		d, err := time.ParseDuration(text)
		if err != nil {
			return err
		}
		o.boots = append(o.boots, d)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return isolate.Run(ctx, func() error { return measure(ctx, &o) })
}

func measure(ctx context.Context, o *options) error {
	if o.waggle == "" {
		dir, err := os.MkdirTemp("", "waggle-bench-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		o.waggle = filepath.Join(dir, "waggle")
		if out, err := exec.CommandContext(ctx, "go", "build", "-o", o.waggle, "./cmd/waggle").CombinedOutput(); err != nil {
			return fmt.Errorf("build waggle: %w: %s", err, out)
		}
	}
	if err := starts(ctx, o); err != nil {
		return err
	}
	return engines(ctx, o)
}

// starts measures cold starts.
func starts(ctx context.Context, o *options) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "boot\tdirect\tmax\tactivated\tmax\twake\tmax\tadded\tmax\t100 clients\tmax\t")
	for _, boot := range o.boots {
		var direct, activated, woken, added, crowd []time.Duration
		for range o.rounds {
			d, err := startDirect(ctx, boot)
			if err != nil {
				return fmt.Errorf("direct: %w", err)
			}
			a, err := startActivated(ctx, boot)
			if err != nil {
				return fmt.Errorf("activated: %w", err)
			}
			one, err := startWoken(ctx, o, boot, 1)
			if err != nil {
				return fmt.Errorf("wake: %w", err)
			}
			many, err := startWoken(ctx, o, boot, 100)
			if err != nil {
				return fmt.Errorf("wake: %w", err)
			}
			direct, activated = append(direct, d), append(activated, a)
			woken, added, crowd = append(woken, one), append(added, one-d), append(crowd, many)
		}
		fmt.Fprintf(w, "%v\t", boot)
		for _, list := range [][]time.Duration{direct, activated, woken, added, crowd} {
			slices.Sort(list)
			fmt.Fprintf(w, "%s\t%s\t", millis(list[len(list)/2]), millis(list[len(list)-1]))
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

func millis(d time.Duration) string {
	if d == noPeer {
		return "-"
	}
	return fmt.Sprintf("%.2f", float64(d)/float64(time.Millisecond))
}
