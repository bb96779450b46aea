// Packetcount counts the packets of a network interface by direction and
// protocol, and shows which CPUs saw them:
//
//	     PROTOCOL  PACKETS  BYTES  BY CPU
//	in   TCP       12       1840   [8 4]
//	out  TCP       11       1432   [11 0]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/examples/packetcount/kern"
	"github.com/waggle-bpf/waggle/load"
)

//go:generate go run ../../cmd/waggle build ./kern --go zkern.go

func main() {
	device := flag.String("i", "lo", "network interface")
	every := flag.Duration("every", 2*time.Second, "time between two tables")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *device, *every); err != nil {
		fmt.Fprintln(os.Stderr, "packetcount:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, device string, every time.Duration) error {
	if every <= 0 {
		return errors.New("count packets: -every must be more than 0")
	}
	k, err := LoadKern(load.Options{})
	if err != nil {
		return err
	}
	defer k.Close() // detaches the programs, too
	where := load.Target{Interfaces: []string{device}}
	where.Direction = load.Ingress
	if _, err := k.AttachCountIn(where); err != nil {
		return err
	}
	where.Direction = load.Egress
	if _, err := k.AttachCountOut(where); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "counting packets on %s, Ctrl-C ends it\n", device)

	for done := false; !done; {
		select {
		case <-time.After(every):
		case <-ctx.Done():
			done = true
		}
		if err := show(k); err != nil {
			return err
		}
	}
	return nil
}

// show prints the counters that are not zero.
func show(k *Kern) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\tPROTOCOL\tPACKETS\tBYTES\tBY CPU")
	for _, d := range []kern.Direction{kern.In, kern.Out} {
		for i := range 256 {
			proto := packet.Proto(i)
			// One counter for each CPU.
			counters, err := k.Counters.Get(kern.Slot(d, proto))
			if err != nil {
				return err
			}
			var sum kern.Counter
			var byCPU []uint64
			for _, c := range counters {
				sum.Packets += c.Packets
				sum.Bytes += c.Bytes
				byCPU = append(byCPU, c.Packets)
			}
			if sum.Packets > 0 {
				fmt.Fprintf(w, "%v\t%s\t%d\t%d\t%v\n", d, name(proto), sum.Packets, sum.Bytes, byCPU)
			}
		}
	}
	return w.Flush()
}

func name(p packet.Proto) string {
	if p == kern.NoIP {
		return "not IP"
	}
	return p.String()
}
