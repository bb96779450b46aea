package pass

import (
	"go/token"
	"slices"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// Sizes in values up to which a function called from several places is inlined
// everywhere. A callee that gets the address of a caller's variable may be
// larger: only inlining lets that variable live in registers.
const (
	inlineLimit        = 100
	inlineLimitPointer = 800
)

// inline replaces calls by the callee's body, callees first. What stays a call
// is large and shared, and no lock is held there, or marked //bpf:noinline.
func inline(m *ir.Module) error {
	callers := map[*ir.Func]int{}
	for _, f := range m.Funcs {
		eachCall(f, func(v *ir.Value) { callers[v.Aux.(*ir.Func)]++ })
	}
	for _, f := range bottomUp(m) {
		for again := true; again; {
			again = false
			eachCall(f, func(v *ir.Value) {
				if !again && shouldInline(v, callers) {
					inlineCall(f, v)
					again = true
				}
			})
		}
		for call := callUnderLock(f); call != nil; call = callUnderLock(f) {
			inlineCall(f, call)
		}
		clean(f)
	}
	dropUnused(m)
	return nil
}

func eachCall(f *ir.Func, visit func(*ir.Value)) {
	for _, b := range f.Blocks {
		for _, v := range b.Values {
			if v.Op == ir.OpCall {
				visit(v)
			}
		}
	}
}

// bottomUp orders the functions so that callees come before callers.
func bottomUp(m *ir.Module) []*ir.Func {
	var out []*ir.Func
	seen := map[*ir.Func]bool{}
	var visit func(*ir.Func)
	visit = func(f *ir.Func) {
		if seen[f] {
			return
		}
		seen[f] = true
		eachCall(f, func(v *ir.Value) { visit(v.Aux.(*ir.Func)) })
		out = append(out, f)
	}
	for _, f := range m.Funcs {
		visit(f)
	}
	return out
}

func shouldInline(call *ir.Value, callers map[*ir.Func]int) bool {
	f := call.Aux.(*ir.Func)
	if !f.NoInline && (callers[f] == 1 || isSmall(f, call)) {
		return true
	}
	return f.MustInline || !callable(f) || passesReferences(f)
}

// isSmall reports whether f is worth inlining at a call for its size.
func isSmall(f *ir.Func, call *ir.Value) bool {
	n := 0
	for _, b := range f.Blocks {
		n += len(b.Values)
	}
	limit := inlineLimit
	for _, a := range call.Args {
		if root, _ := pointerParts(a); root.Op == ir.OpSlotAddr || root.Op == ir.OpParam && a.Type == ir.Ptr {
			limit = inlineLimitPointer
		}
	}
	return n <= limit
}

// maxArgs is how many registers a call can pass.
const maxArgs = 5

// callable reports whether f can be called for real: its parameters, and the
// pointer to its results where it needs one, fit into registers.
func callable(f *ir.Func) bool {
	n := len(f.Params)
	if needsOut(f) {
		n++
	}
	return n <= maxArgs
}

// needsOut reports whether f returns through memory: R0 holds one word, and it
// holds the fault flag where f may fault.
func needsOut(f *ir.Func) bool {
	if mayFault(f) {
		return len(f.Results) > 0
	}
	return len(f.Results) > 1
}

// mayFault reports whether f or a function that it calls may fault.
func mayFault(f *ir.Func) bool {
	seen := map[*ir.Func]bool{}
	var visit func(*ir.Func) bool
	visit = func(f *ir.Func) bool {
		if seen[f] {
			return false
		}
		seen[f] = true
		faults := slices.ContainsFunc(f.Blocks, func(b *ir.Block) bool { return b.Term == ir.TermFault })
		eachCall(f, func(v *ir.Value) { faults = faults || visit(v.Aux.(*ir.Func)) })
		return faults
	}
	return visit(f)
}

// inlineCall replaces one call by a copy of the callee.
func inlineCall(f *ir.Func, call *ir.Value) {
	callee := call.Aux.(*ir.Func)
	head := call.Block
	tail := splitAfter(f, call)
	c := cloner{f: f, call: call.Pos, vals: map[*ir.Value]*ir.Value{}, blocks: map[*ir.Block]*ir.Block{}, slots: map[*ir.Slot]*ir.Slot{}}
	if callee.Library && !f.Library {
		c.helperPos = call.Pos
	}
	for i, p := range callee.Params {
		c.vals[p] = call.Args[i]
	}
	rets := c.body(callee)
	head.Values = head.Values[:len(head.Values)-1] // the call
	head.SetJump(c.blocks[callee.Entry()])
	var rows [][]*ir.Value
	for _, b := range rets {
		rows = append(rows, b.Rets)
		b.Rets = nil
		b.SetJump(tail)
	}
	replaceResults(f, tail, call, rows)
	if len(rows) == 0 {
		f.DropUnreachable()
	}
}

// splitAfter moves what follows v in its block to a new block.
func splitAfter(f *ir.Func, v *ir.Value) *ir.Block {
	b := v.Block
	tail := f.NewBlock()
	at := slices.Index(b.Values, v) + 1
	tail.Values = append(tail.Values, b.Values[at:]...)
	b.Values = b.Values[:at:at]
	for _, x := range tail.Values {
		x.Block = tail
	}
	tail.Term, tail.Control, tail.Rets, tail.Fault = b.Term, b.Control, b.Rets, b.Fault
	tail.Succs, tail.Likely, tail.Pos = b.Succs, b.Likely, b.Pos
	for _, s := range tail.Succs {
		for i, p := range s.Preds {
			if p == b {
				s.Preds[i] = tail
			}
		}
	}
	b.Term, b.Control, b.Rets, b.Succs, b.Likely = ir.TermNone, nil, nil, nil, 0
	return tail
}

// replaceResults makes the OpResults of call use the returned values, joined
// by phis where there are several returns.
func replaceResults(f *ir.Func, tail *ir.Block, call *ir.Value, rows [][]*ir.Value) {
	repl := map[*ir.Value]*ir.Value{}
	made := map[int64]*ir.Value{}
	for _, b := range f.Blocks {
		for _, v := range b.Values {
			if v.Op != ir.OpResult || v.Args[0] != call {
				continue
			}
			if made[v.Int] == nil {
				made[v.Int] = joinResult(tail, v, rows)
			}
			repl[v] = made[v.Int]
		}
	}
	for _, b := range f.Blocks {
		b.Values = slices.DeleteFunc(b.Values, func(v *ir.Value) bool { return repl[v] != nil })
	}
	f.ReplaceUses(repl)
}

func joinResult(tail *ir.Block, v *ir.Value, rows [][]*ir.Value) *ir.Value {
	if len(rows) == 1 {
		return rows[0][v.Int]
	}
	var phi *ir.Value
	if len(rows) == 0 { // the callee never returns
		phi = tail.NewValue(ir.OpUndef, v.Type, v.Pos)
	} else {
		phi = tail.NewValue(ir.OpPhi, v.Type, v.Pos)
		for _, row := range rows {
			phi.Args = append(phi.Args, row[v.Int])
		}
	}
	tail.Values = append([]*ir.Value{phi}, tail.Values...)
	return phi
}

// cloner copies a callee's body into f.
type cloner struct {
	f      *ir.Func
	vals   map[*ir.Value]*ir.Value
	blocks map[*ir.Block]*ir.Block
	slots  map[*ir.Slot]*ir.Slot
	call   token.Pos // of the callee
	// helperPos, if valid, is the position for calls of helpers. What the
	// verifier has against one is the fault of whoever called the library.
	helperPos token.Pos
}

// body copies all blocks and returns the copies that end in a return.
func (c *cloner) body(callee *ir.Func) (rets []*ir.Block) {
	for _, b := range callee.Blocks {
		c.blocks[b] = c.f.NewBlock()
	}
	for _, b := range callee.Blocks {
		for _, v := range b.Values {
			if v.Op != ir.OpParam {
				c.value(c.blocks[b], v)
			}
		}
	}
	for _, b := range callee.Blocks {
		nb := c.blocks[b]
		for _, v := range b.Values {
			if v.Op != ir.OpParam {
				nv := c.vals[v]
				for i, a := range v.Args {
					nv.Args[i] = c.vals[a]
				}
			}
		}
		c.terminator(nb, b)
		if nb.Term == ir.TermRet {
			rets = append(rets, nb)
		}
	}
	return rets
}

func (c *cloner) value(nb *ir.Block, v *ir.Value) {
	nv := nb.Append(v.Op, v.Type, v.Pos, slices.Clone(v.Args)...)
	nv.Int, nv.Aux = v.Int, v.Aux
	if v.Op == ir.OpHelper && c.helperPos.IsValid() {
		nv.Pos = c.helperPos
	}
	if s, ok := v.Aux.(*ir.Slot); ok {
		if c.slots[s] == nil {
			c.slots[s] = c.f.NewSlot(s.Name, s.Size, s.Align, s.Pos)
		}
		nv.Aux = c.slots[s]
	}
	c.vals[v] = nv
}

// fault returns the site of a copied fault. Users have no files of the library: one
// in there counts where the library is called.
func (c *cloner) fault(n int64) int64 {
	m := c.f.Module
	if m.InLibrary == nil || !c.call.IsValid() || !m.InLibrary(m.Faults[n].Pos) {
		return n
	}
	return m.FaultSite(m.Faults[n].Kind, c.call)
}

func (c *cloner) terminator(nb, b *ir.Block) {
	nb.Term, nb.Fault, nb.Likely, nb.Pos = b.Term, b.Fault, b.Likely, b.Pos
	if b.Term == ir.TermFault && b.Fault != ir.FaultPropagated {
		nb.Fault = c.fault(b.Fault)
	}
	if b.Control != nil {
		nb.Control = c.vals[b.Control]
	}
	for _, r := range b.Rets {
		nb.Rets = append(nb.Rets, c.vals[r])
	}
	for _, s := range b.Succs {
		nb.Succs = append(nb.Succs, c.blocks[s])
	}
	for _, p := range b.Preds {
		nb.Preds = append(nb.Preds, c.blocks[p])
	}
}

// dropUnused removes subprograms that nothing calls any more.
func dropUnused(m *ir.Module) {
	used := map[*ir.Func]bool{}
	var visit func(*ir.Func)
	visit = func(f *ir.Func) {
		if used[f] {
			return
		}
		used[f] = true
		eachCall(f, func(v *ir.Value) { visit(v.Aux.(*ir.Func)) })
	}
	for _, f := range m.Funcs {
		if f.Prog != nil {
			visit(f)
		}
	}
	m.Funcs = slices.DeleteFunc(m.Funcs, func(f *ir.Func) bool { return !used[f] })
}
