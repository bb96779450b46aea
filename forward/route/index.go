package route

import (
	"slices"

	"github.com/waggle-bpf/waggle/forward/head"
)

// index finds the rules that ask for a name among those that ask for others, so that a
// thousand names cost no more than one.
type index struct {
	protocol head.Protocol
	name     func(*head.Head) string
	rules    map[string][]int // those that can hold for a name, in order
	// after is, for each rule, the first from there on that is not in the index: one
	// that has to be tested for every name.
	after []int
}

// newIndex makes an index of the rules that have a condition on a name, and no
// patterns in it.
func newIndex(rules []rule, of string) *index {
	x := &index{rules: make(map[string][]int), after: make([]int, len(rules))}
	next := len(rules)
	for i, r := range slices.Backward(rules) {
		c := r.exactNames(of)
		if c == nil {
			next = i
		} else {
			x.protocol, x.name = c.protocol, c.value
			for name := range c.names.exact {
				x.rules[name] = append(x.rules[name], i)
			}
		}
		x.after[i] = next
	}
	for _, list := range x.rules {
		slices.Reverse(list)
	}
	return x
}

// exactNames returns a rule's condition on names of a kind if it has one without
// patterns.
func (r *rule) exactNames(of string) *headCondition {
	for _, c := range r.conditions {
		if h, ok := c.(*headCondition); ok && h.name == of && h.names.onlyExact() {
			return h
		}
	}
	return nil
}

func (n *names) onlyExact() bool { return !n.any && n.one == nil && n.deep == nil }

// skip passes over rules that are false by an index.
func (x *index) skip(d *Decider, in *Input) {
	if d.next >= len(x.after) || x.after[d.next] == d.next {
		return
	}
	to := x.after[d.next]
	switch d.about(x.protocol, in) {
	case unknown, isError:
		return
	case isTrue:
		list := x.rules[x.name(d.Head())]
		if i, _ := slices.BinarySearch(list, d.next); i < len(list) {
			to = min(to, list[i])
		}
	}
	if to > d.next {
		d.next, d.held = to, 0
	}
}
