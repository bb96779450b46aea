// Command codegen compares waggle's code with clang's: the same program written
// in Go (twins/NAME, or an example) and in C (c/NAME.c), side by side. Each has
// one program.
//
// It prints, for each twin, instruction slots in the object, instructions the
// verifier processed, bytes after the JIT, nanoseconds per run and wall time of
// the compilation, and the geometric means of the ratios. It needs root, clang
// and the headers of libbpf. Runs alternate between the two sides; times are
// medians.
//
//	go run ./bench/codegen [-rounds 7] [NAME...]
package main

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
)

func main() {
	dir := flag.String("dir", "bench/codegen", "directory with twins/ and c/")
	rounds := flag.Int("rounds", 7, "timed rounds of each side")
	flag.Parse()
	if err := run(*dir, *rounds, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "codegen:", err)
		os.Exit(1)
	}
}

func run(dir string, rounds int, names []string) error {
	if len(names) == 0 {
		paths, err := filepath.Glob(filepath.Join(dir, "c", "*.c"))
		if err != nil {
			return err
		}
		for _, p := range paths {
			names = append(names, filepath.Base(p[:len(p)-2]))
		}
	}
	var rows []row
	for _, name := range names {
		r, err := measure(dir, name, rounds)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		rows = append(rows, r)
	}
	print(rows)
	return nil
}

// row is one pair of twins.
type row struct {
	name   string
	go_, c figures
}

// figures are what is measured of one program.
type figures struct {
	insns     float64 // instruction slots in the object
	verified  float64 // instructions the verifier processed
	jited     float64 // bytes of machine code
	nanos     float64 // per run
	compileMS float64 // wall time
}

// columns names the figures and tells how to get at them.
var columns = []struct {
	title  string
	format string
	of     func(figures) float64
}{
	{"insns", "%.0f", func(f figures) float64 { return f.insns }},
	{"verified", "%.0f", func(f figures) float64 { return f.verified }},
	{"jited B", "%.0f", func(f figures) float64 { return f.jited }},
	{"ns/run", "%.1f", func(f figures) float64 { return f.nanos }},
	{"compile ms", "%.1f", func(f figures) float64 { return f.compileMS }},
}

func print(rows []row) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "twin\t")
	for _, c := range columns {
		fmt.Fprintf(w, "%s go\tclang\tratio\t", c.title)
	}
	fmt.Fprintln(w)
	logs := make([]float64, len(columns))
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t", r.name)
		for i, c := range columns {
			g, cl := c.of(r.go_), c.of(r.c)
			fmt.Fprintf(w, c.format+"\t"+c.format+"\t%.2f\t", g, cl, g/cl)
			logs[i] += math.Log(g / cl)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprint(w, "geometric mean\t")
	for _, l := range logs {
		fmt.Fprintf(w, "\t\t%.2f\t", math.Exp(l/float64(len(rows))))
	}
	fmt.Fprintln(w)
	w.Flush()
}

func median(xs []float64) float64 {
	slices.Sort(xs)
	return xs[len(xs)/2]
}
