// Package diag holds the compiler's error messages: what is wrong, where, and
// the way out.
package diag

import (
	"fmt"
	"go/token"
	"sort"
	"strings"
)

// Diagnostic is one complaint about a program's source.
type Diagnostic struct {
	Pos token.Position
	// Code is stable: "W0101". docs/subset.md lists all.
	Code string
	// Message is one sentence without a full stop; Hint is the way out.
	Message, Hint string
}

func (d *Diagnostic) Error() string {
	s := fmt.Sprintf("%s: %s", d.Pos, d.Message)
	if d.Hint != "" {
		s += "; " + d.Hint
	}
	if d.Code != "" {
		s += " [" + d.Code + "]"
	}
	return s
}

// List is a set of diagnostics; as an error it prints one line each.
type List []*Diagnostic

func (l List) Error() string {
	lines := make([]string, len(l))
	for i, d := range l {
		lines[i] = d.Error()
	}
	return strings.Join(lines, "\n")
}

// Err returns l as an error, sorted by position, or nil if it is empty.
func (l List) Err() error {
	if len(l) == 0 {
		return nil
	}
	sort.SliceStable(l, func(i, j int) bool {
		a, b := l[i].Pos, l[j].Pos
		if a.Filename != b.Filename {
			return a.Filename < b.Filename
		}
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Column < b.Column
	})
	return l
}

// Add appends a diagnostic.
func (l *List) Add(pos token.Position, code, hint, format string, args ...any) {
	*l = append(*l, &Diagnostic{Pos: pos, Code: code, Message: fmt.Sprintf(format, args...), Hint: hint})
}
