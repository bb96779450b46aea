package pass

import (
	"fmt"
	"go/token"
	"slices"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// StalePacketError says that a program reads or writes a packet through a pointer
// that a helper has made invalid: what moves or changes the packet's buffer ends
// the life of every slice of it (bpf_helper_changes_pkt_data in
// net/core/filter.c).
type StalePacketError struct {
	Pos token.Pos // of the access
	// Helper is the name of the helper, called at Call.
	Helper string
	Call   token.Pos
}

func (e *StalePacketError) Error() string {
	return fmt.Sprintf("slice of a packet that bpf_%s may have moved since", e.Helper)
}

// checkPackets refuses accesses through stale pointers with a position, where the
// verifier would speak of a number. It looks at what optimisation has left, so
// that slices which nobody uses behind the helper don't matter. A pointer is stale
// if all ways that lead to the access make it so, or all ways around a loop: where
// it depends on the way, the verifier may know that the wrong one can't be taken.
func checkPackets(m *ir.Module) error {
	c := packetChecker{moves: movers(m), params: map[*ir.Func][]packetState{}}
	for _, f := range callersFirst(m) {
		if err := c.function(f); err != nil {
			return err
		}
	}
	return nil
}

// movers returns, for each function that invalidates packet pointers on all ways
// through it, a call in it that does.
func movers(m *ir.Module) map[*ir.Func]*ir.Value {
	moves := map[*ir.Func]*ir.Value{}
	for _, f := range bottomUp(m) {
		moves[f] = mover(f, moves)
	}
	return moves
}

// mover returns a call that invalidates packet pointers if each way through f has
// one, else nil.
func mover(f *ir.Func, moves map[*ir.Func]*ir.Value) (always *ir.Value) {
	out := make([]packetState, f.NumBlocks())
	known := make([]bool, f.NumBlocks())
	po := f.Postorder()
	for changed := true; changed; {
		changed = false
		always = nil
		returns := true
		for _, b := range slices.Backward(po) {
			s, first := packetState{}, true
			for _, p := range b.Preds {
				if known[p.ID] {
					s, first = s.both(out[p.ID], first), false
				}
			}
			for _, v := range b.Values {
				s = s.after(invalidates(v, moves))
			}
			if !known[b.ID] || (s.stale == nil) != (out[b.ID].stale == nil) {
				out[b.ID], known[b.ID], changed = s, true, true
			}
			if b.Term == ir.TermRet {
				returns = returns && s.stale != nil
				always = s.stale
			}
		}
		if !returns {
			always = nil
		}
	}
	return always
}

// invalidates returns the call of a helper by which v makes packet pointers stale,
// nil if it does not.
func invalidates(v *ir.Value, moves map[*ir.Func]*ir.Value) *ir.Value {
	switch x := v.Aux.(type) {
	case *ir.HelperCall:
		if x.InvalidatesPackets {
			return v
		}
	case *ir.Func:
		if v.Op == ir.OpCall {
			return moves[x]
		}
	}
	return nil
}

// packetState is what is known of one pointer at a point.
type packetState struct {
	packet bool      // it may point into the packet
	stale  *ir.Value // a call that has made it stale, nil if none has
}

// after returns the state behind call, which makes pointers stale if it is not nil.
func (s packetState) after(call *ir.Value) packetState {
	if s.stale == nil {
		s.stale = call
	}
	return s
}

// both joins the states of two ways that lead to a point; s counts for nothing if
// o is the first.
func (s packetState) both(o packetState, first bool) packetState {
	if first {
		return o
	}
	s.packet = s.packet || o.packet
	if o.stale == nil {
		s.stale = nil
	}
	return s
}

// packetStates holds the states of the pointers that others are derived from:
// those read from the context, parameters and phis.
type packetStates map[*ir.Value]packetState

// same reports whether s and o know the same pointers to be stale.
func (s packetStates) same(o packetStates) bool {
	if s == nil || len(s) != len(o) {
		return false
	}
	for v, a := range s {
		b, ok := o[v]
		if !ok || a.packet != b.packet || (a.stale == nil) != (b.stale == nil) {
			return false
		}
	}
	return true
}

type packetChecker struct {
	moves  map[*ir.Func]*ir.Value
	params map[*ir.Func][]packetState // what callers pass
	out    []packetStates             // at the end of a block, by ID; nil if not known yet
	number []int                      // the place of a block in reverse postorder, by ID
}

func (c *packetChecker) function(f *ir.Func) error {
	c.out = make([]packetStates, f.NumBlocks())
	c.number = make([]int, f.NumBlocks())
	order := f.Postorder()
	slices.Reverse(order)
	for i, b := range order {
		c.number[b.ID] = i
	}
	for changed := true; changed; {
		changed = false
		for _, b := range order {
			out, _ := c.block(b, false)
			if !c.out[b.ID].same(out) {
				c.out[b.ID], changed = out, true
			}
		}
	}
	for _, b := range order {
		if _, err := c.block(b, true); err != nil {
			return err
		}
	}
	return nil
}

// block returns the states at the end of b. If final, the states before it are
// known: the first access through a stale pointer is an error, and calls tell what
// they pass.
func (c *packetChecker) block(b *ir.Block, final bool) (packetStates, error) {
	s := c.entering(b)
	for _, v := range b.Values[len(b.Phis()):] {
		if final {
			if err := s.accesses(v); err != nil {
				return nil, err
			}
		}
		switch v.Op {
		case ir.OpCtxPtr:
			s[v] = packetState{packet: true}
		case ir.OpParam:
			if known := c.params[b.Func]; v.Int < int64(len(known)) {
				s[v] = known[v.Int]
			}
		case ir.OpCall:
			if final {
				c.pass(v, s)
			}
		}
		if call := invalidates(v, c.moves); call != nil {
			for p, state := range s {
				s[p] = state.after(call)
			}
		}
	}
	return s, nil
}

// entering joins the states of b's predecessors; a phi is what its operand is on
// each way. What gets stale on the way around a loop is stale at its head.
func (c *packetChecker) entering(b *ir.Block) packetStates {
	s := packetStates{}
	first := true
	for i, p := range b.Preds {
		out := c.out[p.ID]
		if out == nil || c.around(p, b) {
			continue
		}
		for v, state := range s {
			o, ok := out[v]
			if v.Block == b {
				continue // a phi, which follows
			}
			if s[v] = state.both(o, false); !ok {
				delete(s, v) // nobody can use it here
			}
		}
		if first {
			for v, state := range out {
				if v.Block != b {
					s[v] = state
				}
			}
		}
		for _, phi := range b.Phis() {
			if a := phi.Args[i]; phi.Type == ir.Ptr && !a.IsConst(0) {
				have, ok := s[phi]
				s[phi] = have.both(out[packetRoot(a)], !ok)
			}
		}
		first = false
	}
	for i, p := range b.Preds {
		out := c.out[p.ID]
		if out == nil || !c.around(p, b) {
			continue
		}
		for v, state := range s {
			if v.Op == ir.OpPhi && v.Block == b {
				a := packetRoot(v.Args[i])
				s[v] = packetState{state.packet || out[a].packet, state.after(out[a].stale).stale}
			} else {
				s[v] = state.after(out[v].stale)
			}
		}
	}
	return s
}

// around reports whether the edge from p to b closes a loop.
func (c *packetChecker) around(p, b *ir.Block) bool { return c.number[p.ID] >= c.number[b.ID] }

// packetRoot returns what p was derived from.
func packetRoot(p *ir.Value) *ir.Value {
	for p.Op == ir.OpPtrAdd || p.Op == ir.OpCopy {
		p = p.Args[0]
	}
	return p
}

// accesses checks the pointers through which v accesses memory.
func (s packetStates) accesses(v *ir.Value) error {
	for i, a := range v.Args {
		if a.Type != ir.Ptr {
			continue
		}
		state := s[packetRoot(a)]
		if !state.packet || state.stale == nil || !derefs(v, i) {
			continue
		}
		if reads, writes := touches(v, i); reads || writes {
			h := state.stale.Aux.(*ir.HelperCall)
			return &StalePacketError{Pos: v.Pos, Helper: h.Name, Call: state.stale.Pos}
		}
	}
	return nil
}

// derefs reports whether v may look at what operand i points to, rather than
// keeping or passing on the pointer.
func derefs(v *ir.Value, i int) bool {
	switch v.Op {
	case ir.OpLoad, ir.OpVolatile, ir.OpMove, ir.OpHelper, ir.OpZero:
		return true
	case ir.OpStore, ir.OpAtomic:
		return i == 0
	}
	return false
}

// pass tells the callee what its parameters are. One caller's mistake is enough.
func (c *packetChecker) pass(call *ir.Value, s packetStates) {
	callee := call.Aux.(*ir.Func)
	if c.params[callee] == nil {
		c.params[callee] = make([]packetState, len(callee.Params))
	}
	for i, a := range call.Args {
		if a.Type == ir.Ptr && i < len(callee.Params) {
			have, now := c.params[callee][i], s[packetRoot(a)]
			c.params[callee][i] = packetState{have.packet || now.packet, have.after(now.stale).stale}
		}
	}
}
