package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// table prints the medians, a row for each peer, with the ratio to direct.
func table(out io.Writer, all figures, measures []*measure, peers []*peer) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "\t")
	for _, m := range measures {
		for _, c := range m.columns {
			fmt.Fprintf(w, "%s\t", c.title)
			if c.compared {
				fmt.Fprint(w, "\t")
			}
		}
	}
	fmt.Fprintln(w)
	for _, p := range peers {
		fmt.Fprintf(w, "%s\t", p.name)
		for _, m := range measures {
			for i := range m.columns {
				cell(w, all, m, p, i, peers)
			}
		}
		fmt.Fprintln(w)
	}
	w.Flush()
}

// cell prints a figure, and its ratio to direct's in a column of its own.
func cell(w io.Writer, all figures, m *measure, p *peer, i int, peers []*peer) {
	c := m.columns[i]
	value, ok := all.median(m, p, i)
	if !ok || p.direct && !c.compared {
		fmt.Fprint(w, "-\t")
	} else {
		fmt.Fprintf(w, c.format+"\t", value*c.scale)
	}
	if !c.compared {
		return
	}
	direct, have := directFigure(all, m, i, peers)
	if !ok || !have || p.direct {
		fmt.Fprint(w, "\t")
		return
	}
	fmt.Fprintf(w, "%.2fx\t", value/direct)
}

func directFigure(all figures, m *measure, column int, peers []*peer) (float64, bool) {
	for _, p := range peers {
		if p.direct {
			return all.median(m, p, column)
		}
	}
	return 0, false
}
