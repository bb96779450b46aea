package progen

import (
	"fmt"
	"strings"
)

// expr returns an expression of type t that is no constant. depth bounds its
// nesting.
func (g *gen) expr(t *typ, depth int) string {
	if depth > 0 && g.chance(12) {
		if s := g.call(t, depth); s != "" {
			return s
		}
	}
	switch t.kind {
	case intType:
		return g.intExpr(t, depth)
	case boolType:
		return g.boolExpr(depth)
	case pointerType:
		return g.pointerExpr(t)
	case sliceType:
		return g.sliceExpr(t)
	}
	if s := g.path(t); s != "" && g.chance(70) {
		return s
	}
	return g.composite(t, depth)
}

// operand returns an expression that may be a constant.
func (g *gen) operand(t *typ, depth int) string {
	if t.kind == intType && g.chance(25) {
		return g.literal(t)
	}
	return g.expr(t, depth)
}

// composite returns a composite literal.
func (g *gen) composite(t *typ, depth int) string {
	var parts []string
	if t.kind == arrayType {
		for i := range t.len {
			if g.chance(70) {
				parts = append(parts, fmt.Sprintf("%d: %s", i, g.operand(t.elem, depth-1)))
			}
		}
	} else {
		for _, f := range t.fields {
			if g.chance(70) {
				parts = append(parts, fmt.Sprintf("%s: %s", f.name, g.operand(f.typ, depth-1)))
			}
		}
	}
	return t.String() + "{" + strings.Join(parts, ", ") + "}"
}

// path returns something in scope of type t: a variable, or a part of one. Empty
// if there is nothing.
func (g *gen) path(t *typ) string { return g.pathTo(t, false, 99) }

// place is path for something that can be assigned, or whose address can be
// taken for a pointer declared at the given depth.
func (g *gen) place(t *typ, depth int) string { return g.pathTo(t, true, depth) }

func (g *gen) pathTo(t *typ, assign bool, depth int) string {
	var found []string
	for _, v := range g.scope {
		if assign && v.fixed && v.typ.kind != pointerType || v.depth > depth {
			continue
		}
		var parts []string
		g.collect(&parts, v.name, v.typ, t, 3)
		for _, p := range parts {
			if !assign || !v.fixed || p != v.name { // what a pointer points to can change
				found = append(found, p)
			}
		}
	}
	if len(found) == 0 {
		return ""
	}
	// Variables that were declared last are the most interesting.
	if n := len(found); n > 6 && g.chance(50) {
		found = found[n-6:]
	}
	return pick(g, found)
}

// collect finds the parts of type want.
func (g *gen) collect(found *[]string, name string, t, want *typ, depth int) {
	if same(t, want) {
		*found = append(*found, name)
	}
	if depth == 0 {
		return
	}
	switch t.kind {
	case structType:
		for _, f := range t.fields {
			g.collect(found, name+"."+f.name, f.typ, want, depth-1)
		}
	case arrayType:
		if contains(t.elem, want) {
			g.collect(found, name+"["+g.index(t.len)+"]", t.elem, want, depth-1)
		}
	case pointerType:
		switch {
		case same(t.elem, want):
			*found = append(*found, "(*"+name+")")
		case t.elem.kind == structType:
			g.collect(found, name, t.elem, want, depth-1)
		case t.elem.kind == arrayType && contains(t.elem.elem, want):
			g.collect(found, name+"["+g.index(t.elem.len)+"]", t.elem.elem, want, depth-1)
		}
	}
}

// contains reports whether want is t or a part of it.
func contains(t, want *typ) bool {
	switch {
	case same(t, want):
		return true
	case t.kind == structType:
		for _, f := range t.fields {
			if contains(f.typ, want) {
				return true
			}
		}
	case t.kind == arrayType || t.kind == pointerType:
		return contains(t.elem, want)
	}
	return false
}

// index returns an index for an array of n elements, seldom out of range.
func (g *gen) index(n int64) string {
	if g.chance(40) {
		return fmt.Sprint(g.Int64N(n))
	}
	v := g.intVar()
	switch {
	case g.chance(6):
		return v.name
	case !v.typ.signed && (v.typ.bits > 8 || n < 256):
		return fmt.Sprintf("%s%%%d", v.name, n)
	case n&(n-1) == 0 && n <= 64:
		return fmt.Sprintf("%s&%d", v.name, n-1)
	}
	return fmt.Sprintf("uint8(%s)%%%d", v.name, n)
}

// intVar returns an integer variable in scope: a parameter at least.
func (g *gen) intVar() variable {
	var vs []variable
	for _, v := range g.scope {
		if v.typ.kind == intType {
			vs = append(vs, v)
		}
	}
	return pick(g, vs)
}

func (g *gen) intLeaf(t *typ) string {
	if s := g.path(t); s != "" && g.chance(75) {
		return s
	}
	v := g.intVar()
	if same(v.typ, t) {
		return v.name
	}
	return fmt.Sprintf("%s(%s)", t, v.name)
}

var plainOps = []string{"+", "-", "*", "&", "|", "^", "&^"}

func (g *gen) intExpr(t *typ, depth int) string {
	if depth <= 0 {
		return g.intLeaf(t)
	}
	switch n := g.IntN(100); {
	case n < 20:
		return g.intLeaf(t)
	case n < 50:
		x, y := g.expr(t, depth-1), g.operand(t, depth-1)
		if g.chance(30) {
			x, y = y, x
		}
		return fmt.Sprintf("(%s %s %s)", x, pick(g, plainOps), y)
	case n < 60:
		return g.divide(t, depth)
	case n < 72:
		return g.shift(t, depth)
	case n < 84:
		from := pick(g, ints)
		return fmt.Sprintf("%s(%s)", t, g.expr(from, depth-1))
	case n < 88:
		return fmt.Sprintf("%s(%s)", pick(g, []string{"-", "^"}), g.expr(t, depth-1))
	case n < 92:
		return fmt.Sprintf("%s(%s, %s)", pick(g, []string{"min", "max"}), g.expr(t, depth-1), g.operand(t, depth-1))
	}
	return g.library(t, depth)
}

func (g *gen) divide(t *typ, depth int) string {
	x, op := g.expr(t, depth-1), pick(g, []string{"/", "%"})
	switch {
	case g.chance(50):
		d := g.literal(t)
		for d == "0" {
			d = g.literal(t)
		}
		return fmt.Sprintf("(%s %s %s)", x, op, d)
	case g.chance(90):
		return fmt.Sprintf("(%s %s (%s | 1))", x, op, g.expr(t, depth-1))
	}
	return fmt.Sprintf("(%s %s %s)", x, op, g.expr(t, depth-1))
}

func (g *gen) shift(t *typ, depth int) string {
	x, op := g.expr(t, depth-1), pick(g, []string{"<<", ">>"})
	if g.chance(40) {
		return fmt.Sprintf("(%s %s %d)", x, op, g.IntN(t.bits+2))
	}
	count := pick(g, ints)
	n := g.expr(count, depth-1)
	switch {
	case g.chance(60):
		n = fmt.Sprintf("(%s & %d)", n, pick(g, []int{3, 7, 15, 31, 63}))
	case count.signed && !g.chance(5):
		n = fmt.Sprintf("(%s & 127)", n)
	}
	return fmt.Sprintf("(%s %s %s)", x, op, n)
}

// library returns a call of package bits or binary, converted to t.
func (g *gen) library(t *typ, depth int) string {
	var s string
	w := pick(g, []int{8, 16, 32, 64})
	u := ints[map[int]int{8: 4, 16: 5, 32: 6, 64: 7}[w]]
	switch g.IntN(9) {
	case 4:
		s = fmt.Sprintf("text[%s]", g.index(43))
	case 5:
		if v, ok := g.array(); ok {
			s = fmt.Sprintf("sum(%s[%s])", v.name, g.bounds(v.typ.len))
			if v.typ.elem.kind != intType {
				s = fmt.Sprintf("index(%s[:], %s)", v.name, g.operand(v.typ.elem, 0))
			}
		}
	case 6:
		if v, ok := g.array(); ok && v.typ.elem == ints[4] {
			word := text[g.IntN(40):][:1+g.IntN(3)]
			s = fmt.Sprintf("len(%s[%s])", v.name, g.bounds(v.typ.len))
			if int64(len(word)) <= v.typ.len {
				s = fmt.Sprintf("choose(string(%s[:%d]) == %q, %d, %d)", v.name, len(word), word, g.IntN(100), g.IntN(100))
			}
		}
	case 0:
		s = fmt.Sprintf("bits.%s%d(%s)", pick(g, []string{"LeadingZeros", "TrailingZeros", "OnesCount", "Len"}), w, g.expr(u, depth-1))
	case 1:
		s = fmt.Sprintf("bits.RotateLeft%d(%s, %s)", w, g.expr(u, depth-1), g.operand(goInt, depth-1))
	case 2:
		if w > 8 {
			s = fmt.Sprintf("bits.ReverseBytes%d(%s)", w, g.expr(u, depth-1))
		}
	case 3:
		s = g.binary(w)
	}
	if s == "" {
		return g.intLeaf(t)
	}
	return fmt.Sprintf("%s(%s)", t, s)
}

// text is the constant string of the generated programs.
const text = "the quick brown fox jumps over the lazy dog"

// array returns an array variable that can be cut.
func (g *gen) array() (variable, bool) {
	var vs []variable
	for _, v := range g.scope {
		if v.typ.kind == arrayType && !v.fixed {
			vs = append(vs, v)
		}
	}
	if len(vs) == 0 {
		return variable{}, false
	}
	return pick(g, vs), true
}

// binary reads a number from an array of bytes in scope, if there is one.
func (g *gen) binary(w int) string {
	if w == 8 {
		return ""
	}
	for _, v := range g.scope {
		if v.typ.kind == arrayType && v.typ.elem == ints[4] && v.typ.len >= int64(w/8) {
			return fmt.Sprintf("binary.%sEndian.Uint%d(%s[%d:])", pick(g, []string{"Big", "Little"}), w, v.name, g.Int64N(v.typ.len-int64(w/8)+1))
		}
	}
	return ""
}

func (g *gen) boolExpr(depth int) string {
	if depth <= 0 {
		if s := g.path(boolean); s != "" && g.chance(50) {
			return s
		}
		return g.comparison(0)
	}
	switch n := g.IntN(100); {
	case n < 55:
		return g.comparison(depth)
	case n < 80:
		return fmt.Sprintf("(%s %s %s)", g.boolExpr(depth-1), pick(g, []string{"&&", "||"}), g.boolExpr(depth-1))
	case n < 88:
		return fmt.Sprintf("!(%s)", g.boolExpr(depth-1))
	case n < 92:
		return fmt.Sprintf("(%s %s %s)", g.boolExpr(depth-1), pick(g, []string{"==", "!="}), g.boolExpr(depth-1))
	}
	if s := g.path(boolean); s != "" {
		return s
	}
	return g.comparison(depth)
}

func (g *gen) comparison(depth int) string {
	if g.chance(12) {
		for _, t := range []*typ{pick(g, g.structs), g.valueType()} {
			if a, b := g.path(t), g.path(t); t.kind != intType && a != "" {
				return fmt.Sprintf("(%s %s %s)", a, pick(g, []string{"==", "!="}), b)
			}
		}
	}
	t := pick(g, ints)
	return fmt.Sprintf("(%s %s %s)", g.expr(t, depth-1), pick(g, []string{"<", "<=", ">", ">=", "==", "!="}), g.operand(t, depth-1))
}

// pointerExpr returns a pointer to something that outlives any variable it is
// assigned to.
func (g *gen) pointerExpr(t *typ) string {
	if s := g.path(t); s != "" && g.chance(40) {
		return s
	}
	if s := g.place(t.elem, 1); s != "" {
		return "&" + strings.Trim(s, "()")
	}
	return "new(" + t.elem.String() + ")"
}

// sliceExpr cuts an array in scope, or makes one.
func (g *gen) sliceExpr(t *typ) string {
	if s := g.path(t); s != "" && g.chance(40) {
		return s
	}
	for _, v := range g.scope {
		if v.typ.kind == arrayType && same(v.typ.elem, t.elem) && !v.fixed && v.depth <= 1 {
			return v.name + "[" + g.bounds(v.typ.len) + "]"
		}
	}
	return fmt.Sprintf("[]%s{%s, %s, %s}", t.elem, g.operand(t.elem, 0), g.operand(t.elem, 0), g.operand(t.elem, 0))
}

// bounds are those of a slice expression on n elements, in order.
func (g *gen) bounds(n int64) string {
	if g.chance(40) {
		lo := g.Int64N(n + 1)
		return fmt.Sprintf("%d:%d", lo, lo+g.Int64N(n-lo+1))
	}
	v := g.intVar()
	if g.chance(50) {
		return fmt.Sprintf(":uint8(%s)%%%d", v.name, n+1)
	}
	return fmt.Sprintf("uint8(%s)%%%d:", v.name, n+1)
}

// call returns a call of an earlier function whose only result is of type t.
func (g *gen) call(t *typ, depth int) string {
	var fs []*fn
	lists := [][]*fn{g.funcs, g.literals}
	if g.inLit {
		lists = lists[:1]
	}
	for _, list := range lists {
		for _, f := range list {
			if (f.pure || !g.self.pure) && len(f.results) == 1 && same(f.results[0], t) {
				fs = append(fs, f)
			}
		}
	}
	if len(fs) == 0 || len(g.loops) > 1 {
		return ""
	}
	return g.callOf(pick(g, fs), depth)
}

// callOf calls f with arguments; empty if there is no receiver for it.
func (g *gen) callOf(f *fn, depth int) string {
	name := f.name
	if f.recv != nil {
		recv := g.place(f.recv, 99)
		if recv == "" {
			return ""
		}
		name = recv + "." + name
	}
	var args []string
	for _, p := range f.params {
		args = append(args, g.operand(p, min(depth-1, 1)))
	}
	return name + "(" + strings.Join(args, ", ") + ")"
}
