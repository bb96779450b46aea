package route

import (
	"errors"
	"fmt"
	"regexp/syntax"
)

// defaultWindow is how many bytes a regular expression sees unless told otherwise.
const defaultWindow = 1024

// maxSteps bounds what a regular expression can cost for one connection: states times
// bytes, each a few nanoseconds.
const maxSteps = 4 << 20

// regexpCondition is a regular expression that has to match at the first byte. It is
// run here and not by package regexp, because a verdict is wanted as soon as no bytes
// to come can change it: the automaton's states are all gone, or one accepts. As it
// keeps them, no byte is looked at twice.
type regexpCondition struct {
	text   string
	prog   *syntax.Prog
	window int
	id     int       // of the machine in a Decider
	first  [256]bool // bytes with which a match can begin
}

func buildRegexp(c *compiler, m *Match) condition {
	if m.Regexp == "" {
		return nil
	}
	r, err := compileRegexp(m.Regexp)
	if err != nil {
		c.fail("Regexp", -1, err)
		return nil
	}
	if r.window = m.Window; r.window == 0 {
		r.window = min(defaultWindow, c.table.max)
	}
	if len(r.prog.Inst)*r.window > maxSteps {
		c.fail("Regexp", -1, fmt.Errorf("too large: %d states for a window of %d bytes; at most %d for both multiplied", len(r.prog.Inst), r.window, maxSteps))
	}
	r.id = c.table.machines
	c.table.machines++
	return r
}

func compileRegexp(text string) (*regexpCondition, error) {
	for i := range len(text) {
		if text[i] >= 0x80 {
			return nil, errors.New(`not ASCII; a character is a byte here: write \xc3\xa9 for the two of an e with an acute accent`)
		}
	}
	re, err := syntax.Parse(text, syntax.Perl|syntax.DotNL)
	if err != nil {
		return nil, err
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return nil, err
	}
	r := &regexpCondition{text: text, prog: prog}
	if newMachine(r).follow(r, nil, false, true) {
		return nil, errors.New("matches without a single byte, so it always holds")
	}
	for c := range r.first {
		m := newMachine(r)
		m.step(r, []byte{byte(c)}, false)
		r.first[c] = m.result != isFalse
	}
	return r, nil
}

func (r *regexpCondition) why(*Decider, *Input) string { return "regexp=" + r.text }

func (r *regexpCondition) test(d *Decider, in *Input) truth {
	if d.machines == nil {
		d.machines = make([]*machine, d.table.machines)
	}
	m := d.machines[r.id]
	if m != nil && m.result != unknown {
		return m.result
	}
	seen := in.Bytes[:min(len(in.Bytes), r.window)]
	end := in.End != Open || len(seen) == r.window
	switch {
	case m != nil:
	case len(seen) == 0 && !end:
		return unknown
	case len(seen) > 0 && !r.first[seen[0]]:
		// Most connections are told by their first byte, without a machine.
		return isFalse
	default:
		m = newMachine(r)
		d.machines[r.id] = m
	}
	m.step(r, seen, end)
	return m.result
}

// machine is a run of a regular expression: a set of its program's instructions, as
// threads that have all read the same bytes (Thompson's construction, with the sparse
// sets of Briggs and Torczon).
type machine struct {
	now, next threads
	stack     []uint32
	at        int // bytes read
	result    truth
}

type threads struct {
	sparse, dense []uint32
}

func newThreads(n int) threads {
	return threads{make([]uint32, n), make([]uint32, 0, n)}
}

func (t *threads) add(pc uint32) bool {
	if i := t.sparse[pc]; int(i) < len(t.dense) && t.dense[i] == pc {
		return false
	}
	t.sparse[pc] = uint32(len(t.dense))
	t.dense = append(t.dense, pc)
	return true
}

func newMachine(r *regexpCondition) *machine {
	n := len(r.prog.Inst)
	m := &machine{now: newThreads(n), next: newThreads(n)}
	m.now.add(uint32(r.prog.Start))
	return m
}

// step reads what bytes there are more than before. At the end of them, m.now is what
// has still to be followed at m.at: where the next byte decides (\b, $) it is needed.
func (m *machine) step(r *regexpCondition, b []byte, end bool) {
	for m.result == unknown {
		last := m.at == len(b)
		if m.follow(r, b, last && end, last && !end) {
			m.result = isTrue
			return
		}
		if last && end {
			m.result = isFalse
		}
		if last {
			return
		}
		m.read(r, rune(b[m.at]))
		m.at++
		if len(m.now.dense) == 0 {
			m.result = isFalse
		}
	}
}

// follow adds to m.now all that is reached from it without reading a byte, and tells
// whether that is a match. Without the next byte (blind) it leaves assertions that
// depend on it, for when it is there.
func (m *machine) follow(r *regexpCondition, b []byte, end, blind bool) (match bool) {
	before, after := rune(-1), rune(-1)
	if m.at > 0 {
		before = rune(b[m.at-1])
	}
	if !end && !blind {
		after = rune(b[m.at])
	}
	flags := syntax.EmptyOpContext(before, after)
	const lookahead = syntax.EmptyEndLine | syntax.EmptyEndText | syntax.EmptyWordBoundary | syntax.EmptyNoWordBoundary
	m.stack = append(m.stack[:0], m.now.dense...)
	for len(m.stack) > 0 {
		pc := m.stack[len(m.stack)-1]
		m.stack = m.stack[:len(m.stack)-1]
		switch inst := &r.prog.Inst[pc]; inst.Op {
		case syntax.InstMatch:
			return true
		case syntax.InstAlt, syntax.InstAltMatch:
			m.push(inst.Out)
			m.push(inst.Arg)
		case syntax.InstCapture, syntax.InstNop:
			m.push(inst.Out)
		case syntax.InstEmptyWidth:
			need := syntax.EmptyOp(inst.Arg)
			if need&^flags == 0 && (!blind || need&lookahead == 0) {
				m.push(inst.Out)
			}
		}
	}
	return false
}

func (m *machine) push(pc uint32) {
	if m.now.add(pc) {
		m.stack = append(m.stack, pc)
	}
}

// read moves the threads that accept a byte.
func (m *machine) read(r *regexpCondition, c rune) {
	m.next.dense = m.next.dense[:0]
	for _, pc := range m.now.dense {
		switch inst := &r.prog.Inst[pc]; inst.Op {
		case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			if inst.MatchRune(c) {
				m.next.add(inst.Out)
			}
		}
	}
	m.now, m.next = m.next, m.now
}
