package source

import (
	"go/ast"
	"go/token"
	"strings"

	"github.com/waggle-bpf/waggle/internal/abi"
)

// directivePrefix starts every directive comment.
const directivePrefix = "//bpf:"

// directive is one //bpf: comment.
type directive struct {
	word string // "xdp", "tcx/ingress", "helper"
	args string // the rest of the line, trimmed
	pos  token.Pos
}

// place is a set of things that a directive can stand above.
type place uint8

const (
	onFunc place = 1 << iota
	onType
	onVar
	anywhere
)

// directiveRule says where a directive may stand.
type directiveRule struct {
	place   place
	library bool // below bpf/ and in the standard packages' twins only
}

// directiveRules is the table of directives that aren't program kinds.
var directiveRules = map[string]directiveRule{
	"fault":     {place: onFunc},
	"noinline":  {place: onFunc},
	"slot":      {place: onFunc},
	"license":   {place: anywhere},
	"const":     {place: onVar},
	"btf":       {place: onType},
	"helper":    {place: onFunc, library: true},
	"intrinsic": {place: onFunc, library: true},
	"packet":    {place: onType, library: true},
}

// parseDirective splits the text of a comment; ok is false if it is none of ours.
func parseDirective(text string) (word, args string, ok bool) {
	text, ok = strings.CutPrefix(text, directivePrefix)
	if !ok {
		return "", "", false
	}
	text = strings.TrimRight(text, " \t\r")
	if i := strings.IndexAny(text, " \t"); i >= 0 {
		return text[:i], strings.Trim(text[i:], " \t"), true
	}
	return text, "", true
}

// directives lists the directives of doc comments.
func directives(docs ...*ast.CommentGroup) []directive {
	var list []directive
	for _, doc := range docs {
		if doc == nil {
			continue
		}
		for _, c := range doc.List {
			if word, args, ok := parseDirective(c.Text); ok {
				list = append(list, directive{word, args, c.Pos()})
			}
		}
	}
	return list
}

// find returns the first directive with that word.
func find(list []directive, word string) (directive, bool) {
	for _, d := range list {
		if d.word == word {
			return d, true
		}
	}
	return directive{}, false
}

// hasLowering reports whether a directive replaces the function's body.
func hasLowering(doc *ast.CommentGroup) bool {
	for _, d := range directives(doc) {
		if d.word == "helper" || d.word == "intrinsic" {
			return true
		}
	}
	return false
}

// isProgram reports whether a directive makes the function a program, or is
// meant to.
func isProgram(doc *ast.CommentGroup) bool {
	for _, d := range directives(doc) {
		if _, other := directiveRules[d.word]; !other {
			return true
		}
	}
	return false
}

// closest returns the known directive that a misspelt one is meant to be; "" if
// none is near.
func closest(word string) string {
	best, bestDist := "", 3
	if len(word) < 4 {
		bestDist = 2
	}
	try := func(known string) {
		if d := editDistance(word, known); d < bestDist || d == bestDist && best != "" && known < best {
			best, bestDist = known, d
		}
	}
	for i := range abi.ProgramKinds {
		try(abi.ProgramKinds[i].Name)
	}
	for known, rule := range directiveRules {
		if !rule.library {
			try(known)
		}
	}
	return best
}

// editDistance is the Levenshtein distance.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
