// Command redirect measures "waggle redirect" against loopback TCP: the same traffic,
// first through TCP and then from socket to socket, in turn.
//
//	go run ./bench/redirect                  # as root; some five minutes
//	go run ./bench/redirect -run rtt -seconds 2
//
// It runs everything in a network namespace of its own, over loopback, with the highest
// priority of ordinary processes. The two ends are threads of one process, which make
// system calls behind Go's scheduler; it is in a control group, which is short-cut or
// not. Figures are medians of the rounds, ratios are formed in each round.
//
//	measure  columns             what is done
//	rtt      p50, p99, per s     messages go there and back on 1, 16 and 64 connections
//	         CPU s/M             CPU seconds of the machine for a million messages
//	         lo packets          what the loopback device saw in the window
//	bulk     Gb/s                a stream in one direction, by the size of writes
//	redis    requests/s          redis-benchmark, 16 connections, SET of 64 bytes
//	pgbench  transactions/s      pgbench -S, 8 connections
//	wrk      requests/s          wrk against nginx, 16 connections, 1 KiB
package main

import (
	"context"
	"encoding/json"
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
	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/redirect"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "redirect:", err)
		os.Exit(1)
	}
}

type options struct {
	seconds float64
	rounds  int
	only    string
	json    bool
	traffic string
}

func run() error {
	var o options
	flag.Float64Var(&o.seconds, "seconds", 1, "length of a measurement")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds")
	flag.StringVar(&o.only, "run", "", "measures, separated by commas: rtt, bulk, redis, pgbench, wrk")
	flag.BoolVar(&o.json, "json", false, "print every figure of every round as a JSON line")
	flag.StringVar(&o.traffic, "traffic", "", "for the command itself")
	flag.Parse()
	if o.traffic != "" {
		return carry(o.traffic)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return isolate.Run(ctx, func() error { return compare(ctx, &o) }, isolate.SteadyThreads)
}

// row is one kind of traffic, or a program.
type row struct {
	measure, name string
	run           func(ctx context.Context, group string, seconds float64) (figures, error)
}

// figures are what a measurement gives, by column; better says for each whether more or
// less is better.
type figures map[string]float64

// columns in their order, and how many of a unit they are printed in.
var columns = []struct {
	name   string
	scale  float64
	format string
}{
	{"p50 us", 1e6, "%.1f"}, {"p99 us", 1e6, "%.1f"}, {"per s", 1, "%.0f"},
	{"Gb/s", 8e-9, "%.2f"}, {"CPU s/M", 1e6, "%.2f"}, {"lo packets", 1, "%.0f"},
}

func rows() (list []row) {
	for _, size := range []int{64, 4 << 10, 64 << 10} {
		for _, n := range []int{1, 16, 64} {
			list = append(list, traffic("rtt", size, n))
		}
	}
	for _, size := range []int{64, 1 << 10, 16 << 10, 256 << 10} {
		list = append(list, traffic("bulk", size, 1))
	}
	return append(list, programs...)
}

// compare measures everything, through TCP and on the short cut in turn.
func compare(ctx context.Context, o *options) error {
	groups, err := makeGroups()
	if err != nil {
		return err
	}
	defer groups.remove()
	s, err := redirect.Start(redirect.Options{
		Cgroups: []string{groups[1]},
		Notice:  func(text string) { fmt.Fprintln(os.Stderr, "redirect: "+text) },
	})
	if err != nil {
		return err
	}
	defer s.Close()
	tab := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', tabwriter.AlignRight)
	for _, r := range rows() {
		if o.only != "" && !slices.Contains(strings.Split(o.only, ","), r.measure) {
			continue
		}
		var rounds [2][]figures
		for i := range o.rounds {
			for side, group := range groups {
				f, err := r.run(ctx, group, o.seconds)
				if err != nil {
					return fmt.Errorf("%s: %w", r.name, err)
				}
				if o.json {
					line, err := json.Marshal(map[string]any{"row": r.name, "round": i, "side": sides[side], "figures": f})
					if err != nil {
						return err
					}
					fmt.Println(string(line))
				}
				rounds[side] = append(rounds[side], f)
			}
		}
		print(tab, r.name, rounds)
	}
	return tab.Flush()
}

var sides = [2]string{"TCP", "short cut"}

// print prints a row: for each figure both medians and the median ratio.
func print(tab *tabwriter.Writer, name string, rounds [2][]figures) {
	fmt.Fprintf(tab, "%s\t", name)
	for _, c := range columns {
		var values [2][]float64
		var ratios []float64
		for i := range rounds[0] {
			a, ok := rounds[0][i][c.name]
			if !ok {
				continue
			}
			b := rounds[1][i][c.name]
			values[0], values[1] = append(values[0], a), append(values[1], b)
			if a > 0 {
				ratios = append(ratios, b/a)
			}
		}
		if len(values[0]) == 0 {
			continue
		}
		fmt.Fprintf(tab, "%s\t"+c.format+"\t"+c.format+"\t", c.name, median(values[0])*c.scale, median(values[1])*c.scale)
		if len(ratios) > 0 {
			fmt.Fprintf(tab, "%.2f\t", median(ratios))
		}
	}
	fmt.Fprintln(tab)
	_ = tab.Flush() // row by row; the last one tells of errors
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

// pair is two control groups: one left alone, one for the short cut.
type pair [2]string

func makeGroups() (p pair, err error) {
	mount, err := testkit.CgroupMount()
	if err != nil {
		return p, err
	}
	for i, name := range []string{"tcp", "short"} {
		p[i] = filepath.Join(mount, fmt.Sprintf("waggle-bench-%d-%s", os.Getpid(), name))
		if err := os.Mkdir(p[i], 0o755); err != nil {
			return p, err
		}
	}
	return p, nil
}

func (p pair) remove() {
	for _, dir := range p {
		for range 500 { // it is busy until the last process is reaped
			if err := os.Remove(dir); err == nil || os.IsNotExist(err) {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// in makes a command run in a control group, and end with this process.
func in(group string, cmd *exec.Cmd) (*exec.Cmd, func(), error) {
	dir, err := os.Open(group)
	if err != nil {
		return nil, nil, err
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd()), Pdeathsig: syscall.SIGKILL}
	return cmd, func() { dir.Close() }, nil
}
