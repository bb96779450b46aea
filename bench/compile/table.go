package main

import (
	"fmt"
	"os"
	"text/tabwriter"
)

func print(rows []row) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "ms\t")
	for i, way := range ways {
		fmt.Fprintf(w, "%s\t", way.name)
		if i == clang {
			fmt.Fprint(w, "build/clang\t")
		}
	}
	fmt.Fprintln(w)
	for i, r := range rows {
		fmt.Fprintf(w, "%s\t", subjects[i].dir)
		for j, ms := range r {
			number(w, "%.1f\t", ms, ms != 0)
			if j == clang {
				number(w, "%.2f\t", r[build]/r[clang], r[clang] != 0)
			}
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

// number prints one, or a dash if there is none.
func number(w *tabwriter.Writer, format string, n float64, there bool) {
	if there {
		fmt.Fprintf(w, format, n)
	} else {
		fmt.Fprint(w, "-\t")
	}
}
