package progen

import (
	"fmt"
	"strings"
)

// block generates statements with a scope of their own.
func (g *gen) block(n int) {
	scope, literals := len(g.scope), len(g.literals)
	g.indent++
	g.statements(n)
	g.indent--
	g.scope, g.literals = g.scope[:scope], g.literals[:literals]
}

func (g *gen) statements(n int) {
	for range n {
		if g.budget--; g.budget < 0 {
			return
		}
		g.statement()
	}
}

func (g *gen) statement() {
	if g.memory && g.chance(20) {
		switch g.IntN(3) {
		case 0:
			g.pointer()
		case 1:
			g.slices()
		default:
			g.element()
		}
		return
	}
	switch n := g.IntN(100); {
	case n < 25:
		g.declare()
	case n < 52:
		g.assign()
	case n < 60:
		g.ifElse()
	case n < 70:
		g.loop()
	case n < 75:
		g.switchCase()
	case n < 82:
		g.multiCall()
	case n < 86:
		g.leave()
	case n < 89:
		g.slices()
	case n < 91:
		g.pointer()
	case n < 93:
		g.literalFunc()
	case n < 95:
		g.parallel()
	case n < 97:
		g.generic()
	default:
		g.increment()
	}
}

// generic calls one of the generic functions that every program has.
func (g *gen) generic() {
	t := g.valueType()
	switch a, b := g.place(t, 99), g.place(t, 99); {
	case g.chance(50) && a != "":
		g.line("swap(&%s, &%s)", strings.Trim(a, "()"), strings.Trim(b, "()"))
	case a != "":
		name := g.fresh("v")
		g.line("%s := choose(%s, %s, %s)", name, g.boolExpr(1), a, b)
		g.add(name, t, false)
	}
}

// add puts a new variable into the scope and marks it as used.
func (g *gen) add(name string, t *typ, fixed bool) {
	g.line("_ = %s", name)
	g.scope = append(g.scope, variable{name: name, typ: t, fixed: fixed, depth: g.indent})
}

func (g *gen) declare() {
	t, name := g.valueType(), g.fresh("v")
	switch {
	case g.chance(15):
		g.line("var %s %s", name, t)
	case t.kind == intType:
		g.line("%s := %s(%s)", name, t, g.expr(t, 3))
	default:
		g.line("%s := %s", name, g.expr(t, 2))
	}
	g.add(name, t, false)
}

var assignOps = []string{"+=", "-=", "*=", "&=", "|=", "^=", "&^="}

func (g *gen) assign() {
	t := g.valueType()
	for range 4 { // a type of which there is something
		if g.place(t, 99) != "" {
			break
		}
		t = pick(g, ints)
	}
	p := g.place(t, 99)
	switch {
	case p == "":
		g.declare()
	case t.kind == intType && g.chance(35):
		g.line("%s %s %s", p, pick(g, assignOps), g.operand(t, 2))
	case t.kind == intType && g.chance(15):
		g.line("%s %s %s", p, pick(g, []string{"<<=", ">>="}), fmt.Sprintf("(%s & 15)", g.expr(pick(g, ints), 1)))
	default:
		g.line("%s = %s", p, g.operand(t, 3))
	}
}

func (g *gen) increment() {
	if p := g.place(pick(g, ints), 99); p != "" {
		g.line("%s%s", p, pick(g, []string{"++", "--"}))
	}
}

// element moves an element of an array or slice to another place of it.
func (g *gen) element() {
	var vs []variable
	for _, v := range g.scope {
		if v.typ.kind == sliceType || v.typ.kind == arrayType && !v.fixed {
			vs = append(vs, v)
		}
	}
	if len(vs) == 0 {
		g.declare()
		return
	}
	v := pick(g, vs)
	if v.typ.kind == sliceType {
		k := g.IntN(3)
		g.line("if len(%s) > %d {", v.name, k)
		g.line("\t%s[%d] = %s[%s%%%d]", v.name, k, v.name, "uint8("+g.intVar().name+")", k+1)
		g.line("}")
		return
	}
	i, j := g.index(v.typ.len), g.index(v.typ.len)
	if g.chance(50) {
		g.line("%s[%s], %s[%s] = %s[%s], %s[%s]", v.name, i, v.name, j, v.name, j, v.name, i)
	} else {
		g.line("%s[%s] = %s[%s]", v.name, i, v.name, j)
	}
}

// parallel assigns two values at once.
func (g *gen) parallel() {
	t := pick(g, ints)
	a, b := g.place(t, 99), g.place(t, 99)
	if a != "" && b != "" {
		g.line("%s, %s = %s, %s", a, b, g.operand(t, 1), g.operand(t, 1))
	}
}

func (g *gen) ifElse() {
	g.line("if %s {", g.boolExpr(2))
	g.block(1 + g.IntN(3))
	if g.chance(50) {
		if g.chance(25) {
			g.line("} else if %s {", g.boolExpr(1))
			g.block(1 + g.IntN(2))
		}
		g.line("} else {")
		g.block(1 + g.IntN(3))
	}
	g.line("}")
}

// loop generates a loop with few iterations: the kernel walks through all.
func (g *gen) loop() {
	if len(g.loops) >= 2 {
		g.assign()
		return
	}
	used := false
	label := fmt.Sprintf("l%d_%d", g.names, len(g.loops))
	g.loops = append(g.loops, loop{label, &used})
	// The label stands before the loop, but whether it is used is known behind.
	before := g.out.String()
	g.out.Reset()
	head := len(g.scope)
	g.loopHead()
	g.block(1 + g.IntN(4))
	g.line("}")
	body := g.out.String()
	g.out.Reset()
	g.out.WriteString(before)
	if used {
		g.line("%s:", label)
	}
	g.out.WriteString(body)
	g.scope = g.scope[:head]
	g.loops = g.loops[:len(g.loops)-1]
}

// loopHead writes the first line of a loop; its variables are not assigned to.
func (g *gen) loopHead() {
	i := g.fresh("i")
	counter := func(name string, t *typ) {
		g.indent++
		g.add(name, t, true)
		g.indent--
	}
	limit := 1 + g.IntN(5)
	switch g.IntN(9) {
	case 5:
		// Changes what it depends on as it likes, but ends.
		g.line("for %s := 0; %s && %s < %d; %s++ {", i, g.boolExpr(1), i, limit, i)
		counter(i, goInt)
	case 6:
		if g.inLit {
			g.line("for range %d {", limit)
			return
		}
		t := pick(g, ints)
		g.line("for %s := range upTo(%s&%d, %d) {", i, g.intLeaf(t), pick(g, []int{1, 3, 7}), 1+g.IntN(2))
		counter(i, t)
	case 0:
		g.line("for %s := range %d {", i, limit)
		counter(i, goInt)
	case 1, 2:
		t := pick(g, ints)
		step := 1 + g.IntN(3)
		g.line("for %s := %s(%d); %s < %d; %s += %d {", i, t, g.IntN(3), i, limit*step, i, step)
		counter(i, t)
	case 3:
		t := pick(g, ints)
		if t.signed {
			g.line("for %s := %s(%d); %s >= 0; %s-- {", i, t, limit, i, i)
		} else {
			g.line("for %s := %s(%d); %s > 0; %s-- {", i, t, limit, i, i)
		}
		counter(i, t)
	case 4:
		t := pick(g, ints)
		g.line("for %s := range %s & %d {", i, g.intLeaf(t), pick(g, []int{1, 3, 7}))
		counter(i, t)
	default:
		g.rangeHead(i, counter)
	}
}

// rangeHead loops over an array or slice in scope.
func (g *gen) rangeHead(i string, counter func(string, *typ)) {
	var vs []variable
	for _, v := range g.scope {
		if v.typ.kind == arrayType || v.typ.kind == sliceType {
			vs = append(vs, v)
		}
	}
	if len(vs) == 0 {
		g.line("for range %d {", 1+g.IntN(3))
		return
	}
	v, e := pick(g, vs), g.fresh("e")
	g.line("for %s, %s := range %s {", i, e, v.name)
	counter(i, goInt)
	counter(e, v.typ.elem)
}

func (g *gen) switchCase() {
	t := pick(g, ints)
	if g.chance(30) {
		g.line("switch {")
	} else {
		g.line("switch %s {", g.expr(t, 2))
	}
	seen := map[string]bool{}
	n := 1 + g.IntN(4)
	tagless := strings.HasSuffix(strings.TrimSpace(g.out.String()), "switch {")
	for i := range n {
		if tagless {
			g.line("case %s:", g.boolExpr(1))
		} else {
			lit := g.literal(t)
			if seen[lit] {
				continue
			}
			seen[lit] = true
			g.line("case %s:", lit)
		}
		g.block(1 + g.IntN(2))
		if i < n-1 && g.chance(15) {
			g.line("\tfallthrough")
			g.line("case %s:", map[bool]string{true: g.boolExpr(0), false: g.expr(t, 0)}[tagless])
		}
	}
	if g.chance(60) {
		g.line("default:")
		g.block(1 + g.IntN(2))
	}
	g.line("}")
}

// multiCall declares the results of a call.
func (g *gen) multiCall() {
	if len(g.funcs) == 0 || len(g.loops) > 1 {
		g.declare()
		return
	}
	f := pick(g, g.funcs)
	if g.self.pure && !f.pure {
		return
	}
	s := g.callOf(f, 2)
	if s == "" {
		return
	}
	var names []string
	for range f.results {
		names = append(names, g.fresh("c"))
	}
	g.line("%s := %s", strings.Join(names, ", "), s)
	for i, n := range names {
		g.add(n, f.results[i], false)
	}
}

// leave ends a loop, an iteration or the function under a condition.
func (g *gen) leave() {
	if len(g.loops) == 0 || g.chance(20) {
		g.line("if %s {", g.boolExpr(1))
		g.indent++
		g.ret()
		g.indent--
		g.line("}")
		return
	}
	word, label := pick(g, []string{"break", "continue"}), ""
	if g.chance(40) {
		l := pick(g, g.loops)
		*l.used = true
		label = " " + l.label
	}
	g.line("if %s {", g.boolExpr(1))
	g.line("\t%s%s", word, label)
	g.line("}")
}

func (g *gen) ret() {
	var values []string
	for _, t := range g.self.results {
		s := g.expr(t, 1)
		if t.kind == intType {
			s = g.mix(t, s)
		}
		values = append(values, s)
	}
	g.line("return %s", strings.Join(values, ", "))
}

// mix makes a result depend on much of what is in scope.
func (g *gen) mix(t *typ, s string) string {
	for i, v := range g.scope {
		if g.chance(30) {
			continue
		}
		from := pick(g, ints)
		if v.typ.kind == intType {
			from = v.typ
		}
		var found []string
		g.collect(&found, v.name, v.typ, from, 3)
		if len(found) > 0 {
			s += fmt.Sprintf(" %s %s(%s)", pick(g, []string{"+", "-", "^", "*"}), t, pick(g, found))
		}
		if i > 12 {
			break
		}
	}
	return s
}

// slices declares a slice of an array, or uses copy or clear.
func (g *gen) slices() {
	var arrays []variable
	for _, v := range g.scope {
		if v.typ.kind == arrayType && !v.fixed {
			arrays = append(arrays, v)
		}
	}
	if len(arrays) == 0 {
		g.declare()
		return
	}
	v := pick(g, arrays)
	switch g.IntN(4) {
	case 0:
		w := v
		for _, x := range arrays {
			if same(x.typ.elem, v.typ.elem) && g.chance(50) {
				w = x
			}
		}
		g.line("copy(%s[%s], %s[%s])", v.name, g.bounds(v.typ.len), w.name, g.bounds(w.typ.len))
	case 1:
		g.line("clear(%s[%s])", v.name, g.bounds(v.typ.len))
	default:
		name := g.fresh("s")
		g.line("%s := %s[%s]", name, v.name, g.bounds(v.typ.len))
		g.add(name, sliceOf(v.typ.elem), true)
		if v.typ.elem.kind == intType {
			g.line("if len(%s) > %d {", name, g.IntN(3))
			g.line("\t%s[len(%s)-1] = %s", name, name, g.operand(v.typ.elem, 2))
			g.line("}")
		}
	}
}

// pointer declares a pointer to something in scope.
func (g *gen) pointer() {
	t := g.valueType()
	p := g.place(t, g.indent)
	if p == "" {
		g.declare()
		return
	}
	name := g.fresh("p")
	g.line("%s := &%s", name, strings.Trim(p, "()"))
	if strings.HasPrefix(p, "(*") {
		// &*q is q.
		g.add(name, pointerTo(t), true)
		return
	}
	g.add(name, pointerTo(t), true)
	if q := g.place(t, g.indent); q != "" && g.chance(40) {
		g.line("if %s {", g.boolExpr(1))
		g.line("\t%s = &%s", name, strings.Trim(q, "()"))
		g.line("}")
	}
}

// literalFunc declares a function literal that uses what is around it, and
// calls it.
func (g *gen) literalFunc() {
	if g.inLit || len(g.loops) > 0 {
		g.assign()
		return
	}
	in, out, name, a := pick(g, ints), pick(g, ints), g.fresh("fn"), g.fresh("x")
	t := pick(g, ints)
	changed := g.place(t, 99) // by the literal, between two looks at it
	g.line("%s := func(%s %s) %s {", name, a, in, out)
	self, scope := g.self, len(g.scope)
	lit := &fn{name: name, params: []*typ{in}, results: []*typ{out}, pure: self.pure}
	g.self, g.inLit = lit, true
	g.indent++
	g.add(a, in, false)
	if changed != "" {
		g.line("%s += %s(%s) | 1", changed, t, a)
	}
	g.statements(1 + g.IntN(3))
	g.ret()
	g.indent--
	g.self, g.inLit = self, false
	g.scope = g.scope[:scope]
	g.line("}")
	v := g.fresh("v")
	g.line("%s := %s(%s)", v, name, g.operand(in, 1))
	g.add(v, out, false)
	if changed != "" {
		w := g.fresh("v")
		g.line("%s := %s(%s) %s %s(%s) - %s(%s)", w, out, changed, pick(g, []string{"+", "-", "*", "^"}), name, fmt.Sprintf("%s(%s)", in, v), out, changed)
		g.add(w, out, false)
	}
	lit.pure = true // what it changes is the function's own
	g.literals = append(g.literals, lit)
}
