package route

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/waggle-bpf/waggle/forward/head"
)

// Decider is a decision in the making. It belongs to one connection and goroutine.
type Decider struct {
	table  *Table
	conn   Conn
	source netip.Addr

	parser head.Parser
	parsed int // how many bytes the parser has seen

	next     int        // the first rule that is not passed over
	held     uint32     // of its conditions, those that are known to be true
	machines []*machine // of the regular expressions that began to match
	problem  string     // of the last isError
	decision Decision   // once it is final
}

// Head is what was found out about the client's protocol. Rules that didn't need it
// have not made the Decider look.
func (d *Decider) Head() *head.Head { return d.parser.Head() }

// Decide judges what there is: the bytes of the last call, unchanged, with those that
// came since. A final decision does not change any more.
func (d *Decider) Decide(in Input) Decision {
	if d.decision.Verdict != NeedMore {
		return d.decision
	}
	if len(in.Bytes) >= d.table.max {
		in.Bytes = in.Bytes[:d.table.max]
		if in.End == Open {
			in.End = full
		}
	}
	for d.skip(&in); d.next < len(d.table.rules); d.skip(&in) {
		switch r := &d.table.rules[d.next]; r.test(d, &in) {
		case unknown:
			return Decision{Rule: -1}
		case isTrue:
			d.decision = r.matched(d, &in)
			return d.decision
		case isError:
			d.decision = Decision{Verdict: Rejected, Rule: d.next, Name: r.Name, Why: clean(d.problem)}
			return d.decision
		}
		d.next, d.held = d.next+1, 0
	}
	d.decision = Decision{Verdict: NoRoute, Rule: -1, Why: d.summary(&in)}
	return d.decision
}

// skip passes over rules that an index shows to be false.
func (d *Decider) skip(in *Input) {
	for before := -1; before != d.next; {
		before = d.next
		for _, x := range d.table.indexes {
			x.skip(d, in)
		}
	}
}

// full is the end of a decision that has as many bytes as it may have.
const full = Closed + 1

// test is true if all conditions are. A condition that can't be told counts only when
// no other can still be false, so that the order of segments doesn't matter.
func (r *rule) test(d *Decider, in *Input) truth {
	result := isTrue
	for i, c := range r.conditions {
		if d.held&(1<<i) != 0 {
			continue
		}
		switch c.test(d, in) {
		case isTrue:
			d.held |= 1 << i
		case isFalse:
			return isFalse
		case unknown:
			result = unknown
		case isError:
			if result == isTrue {
				result = isError
			}
		}
	}
	return result
}

func (r *rule) matched(d *Decider, in *Input) Decision {
	decision := Decision{Verdict: Matched, Rule: d.next, Name: r.Name, Target: r.Target, Refuse: r.Refuse}
	var why []string
	for _, c := range r.conditions {
		if w := c.why(d, in); w != "" {
			why = append(why, w)
		}
		if t, ok := c.(*tokenCondition); ok {
			decision.Strip = t.strip(in.Bytes)
		}
	}
	if decision.Why = clean(strings.Join(why, " ")); decision.Why == "" {
		decision.Why = d.ended(in, "default")
	}
	return decision
}

// ended says what a decision that waited in vain was waiting for.
func (d *Decider) ended(in *Input, otherwise string) string {
	switch n := len(in.Bytes); {
	case n == 0 && in.End == Deadline:
		return "silent for " + waited(in)
	case n == 0 && in.End == Closed:
		return "closed without a byte"
	case in.End == Deadline:
		return fmt.Sprintf("%s after %s and %d bytes", otherwise, waited(in), n)
	case in.End == Closed:
		return fmt.Sprintf("%s, closed after %d bytes", otherwise, n)
	}
	return otherwise
}

func waited(in *Input) string { return in.Waited.Round(time.Millisecond).String() }

// summary says what a connection without a route was.
func (d *Decider) summary(in *Input) string {
	h := d.Head()
	switch {
	case h.SNI != "":
		return "no rule for sni=" + h.SNI
	case h.Host != "":
		return "no rule for host=" + h.Host
	case h.Protocol != head.None:
		return "no rule for protocol=" + h.Protocol.String()
	}
	return d.ended(in, "no rule")
}

// maxWhy bounds what a client can put into a log line.
const maxWhy = 200

// clean makes a line of printable text of what may have come from a client.
func clean(s string) string {
	if len(s) > maxWhy {
		s = strings.ToValidUTF8(s[:maxWhy], "") + "..."
	}
	for _, r := range s {
		if !strconv.IsPrint(r) || r == '\uFFFD' {
			q := strconv.Quote(s)
			return q[1 : len(q)-1]
		}
	}
	return s
}

// look lets the parser see what there is.
func (d *Decider) look(in *Input) *head.Head {
	if len(in.Bytes) > d.parsed || d.parsed == 0 {
		d.parsed = len(in.Bytes)
		d.parser.Parse(in.Bytes)
	}
	return d.parser.Head()
}

// about tells whether the connection is of a protocol and its head is there.
func (d *Decider) about(p head.Protocol, in *Input) truth {
	h := d.look(in)
	if !h.May(p) {
		return isFalse
	}
	switch h.Status {
	case head.Known:
		return isTrue
	case head.Malformed, head.TooLong:
		return d.fail(fmt.Sprintf("%s %s head: %s", h.Status, p, h.Reason))
	}
	switch {
	case in.End == Open:
		return unknown
	case h.Protocol == p:
		return d.fail(d.ended(in, fmt.Sprintf("%s head incomplete", p)))
	}
	return isFalse
}

// fail records why something can't be told.
func (d *Decider) fail(problem string) truth {
	d.problem = problem
	return isError
}
