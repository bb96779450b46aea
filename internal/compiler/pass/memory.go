package pass

import "github.com/waggle-bpf/waggle/internal/compiler/ir"

// forwardMemory replaces loads by the value that was stored or loaded at the
// same place before, on every path.
func forwardMemory(f *ir.Func) {
	m := forwarder{
		f: f, dom: f.Dominators(), escaped: escapedSlots(f),
		repl: map[*ir.Value]*ir.Value{}, out: map[*ir.Block][]known{},
	}
	for _, b := range m.dom.RPO {
		m.block(b)
	}
	f.ReplaceUses(m.repl)
}

// known is one remembered piece of memory. A nil value is all zeros.
type known struct {
	at    place
	value *ir.Value
}

type forwarder struct {
	f       *ir.Func
	dom     *ir.DomTree
	escaped map[*ir.Slot]bool
	repl    map[*ir.Value]*ir.Value
	out     map[*ir.Block][]known // what is known where a block ends
}

// block rewrites b and records what is known at its end.
func (m *forwarder) block(b *ir.Block) {
	have := m.entering(b)
	kept := b.Values[:0]
	for _, v := range b.Values {
		for i, a := range v.Args {
			if r := m.repl[a]; r != nil {
				v.Args[i] = r
			}
		}
		var drop bool
		have, drop = m.visit(b, v, have)
		if !drop {
			kept = append(kept, v)
		}
	}
	b.Values = kept
	m.out[b] = have
}

// entering returns what is known on every way into b. A loop head keeps what
// its entry knows and nothing in the loop changes; where goto leads into a loop
// beside its head, nothing is known.
func (m *forwarder) entering(b *ir.Block) []known {
	var have []known
	first, loop := true, false
	for _, p := range b.Preds {
		out, done := m.out[p]
		switch {
		case !done && !m.dom.Dominates(b, p):
			return nil
		case !done:
			loop = true
		case first:
			have, first = append([]known{}, out...), false
		default:
			have = common(have, out)
		}
	}
	if !loop {
		return have
	}
	body := m.f.LoopBody(m.dom, b)
	for _, x := range m.dom.RPO {
		if !body[x] {
			continue
		}
		for _, v := range x.Values {
			have = m.kill(v, have)
		}
	}
	return have
}

// common returns the entries that stand in both lists.
func common(a, b []known) []known {
	kept := a[:0]
	for _, x := range a {
		for _, y := range b {
			if x.value == y.value && x.at.same(y.at) {
				kept = append(kept, x)
				break
			}
		}
	}
	return kept
}

// maxKnown bounds how much is remembered: a value that is read again much later
// is cheaper to load again than to keep, with ten registers.
const maxKnown = 16

// remember adds k, at the cost of the oldest entry if there are many.
func remember(have []known, k known) []known {
	if len(have) >= maxKnown {
		have = have[1:]
	}
	return append(have, k)
}

// constantBytes puts a word together from constants that were stored in parts
// of it.
func constantBytes(have []known, at place) (int64, bool) {
	word := uint64(0)
	for i := range at.size {
		b, ok := constantByte(have, at.base, at.off+i)
		if !ok {
			return 0, false
		}
		word |= uint64(b) << (8 * i)
	}
	return int64(word), true
}

func constantByte(have []known, base *ir.Value, off int64) (byte, bool) {
	for _, k := range have {
		if !sameObject(k.at.base, base) || off < k.at.off || k.at.off+k.at.size <= off {
			continue
		}
		if k.value == nil {
			return 0, true
		}
		if k.value.Op == ir.OpConst {
			return byte(uint64(k.value.Int) >> (8 * (off - k.at.off))), true
		}
		return 0, false
	}
	return 0, false
}

// kill drops what v may overwrite.
func (m *forwarder) kill(v *ir.Value, have []known) []known {
	writes(v, func(p place) { have = m.forget(have, p) }, func() { have = m.forgetShared(have, v) })
	return have
}

// visit updates what is known; drop says that v became a known value.
func (m *forwarder) visit(b *ir.Block, v *ir.Value, have []known) (_ []known, drop bool) {
	switch v.Op {
	case ir.OpLoad, ir.OpCtxPtr:
		at := placeOf(v.Args[0], v.Int, loadType(v).Size())
		if v.Op == ir.OpCtxPtr {
			at.size = 4
		}
		for _, k := range have {
			if k.value != nil && k.at.same(at) && k.value.Type == v.Type && (k.value.Op == ir.OpCtxPtr) == (v.Op == ir.OpCtxPtr) {
				m.repl[v] = k.value
				return have, true
			}
		}
		if n, ok := constantBytes(have, at); ok && v.Op == ir.OpLoad && v.Type.IsInt() {
			v.Reset(ir.OpConst)
			v.Int = ir.SignExtend(n, v.Type)
			return have, false
		}
		return remember(have, known{at, v}), false
	case ir.OpZero:
		have = m.kill(v, have)
		at := placeOf(v.Args[0], v.Int, v.Aux.(int64))
		if kindOf(at.root) == objectSlot {
			have = remember(have, known{at, nil})
		}
		return have, false
	}
	have = m.kill(v, have)
	if v.Op == ir.OpStore {
		at := placeOf(v.Args[0], v.Int, storeType(v).Size())
		if kindOf(at.root) != objectContext {
			have = remember(have, known{at, v.Args[1]})
		}
	}
	return have, false
}

// forget drops what a write to p may change. Of zeros that are overwritten in
// part the rest stays known.
func (m *forwarder) forget(have []known, p place) []known {
	kept := make([]known, 0, len(have)+1)
	for _, k := range have {
		switch {
		case !mayAlias(k.at, p, m.escaped):
			kept = append(kept, k)
		case k.value == nil && p.size >= 0 && sameObject(k.at.base, p.base):
			kept = append(kept, without(k, p)...)
		}
	}
	return kept
}

// without returns the parts of zeros k in front of and behind p.
func without(k known, p place) []known {
	var out []known
	if n := p.off - k.at.off; n > 0 {
		front := k
		front.at.size = n
		out = append(out, front)
	}
	if n := k.at.off + k.at.size - p.off - p.size; n > 0 {
		back := k
		back.at.off, back.at.size = p.off+p.size, n
		out = append(out, back)
	}
	return out
}

// forgetShared drops what other CPUs, or a call with effects, may change:
// everything but slots that nobody else knows. The packet and the context are
// left alone by atomic operations, and by helpers that do not say otherwise.
func (m *forwarder) forgetShared(have []known, v *ir.Value) []known {
	h, isHelper := v.Aux.(*ir.HelperCall)
	moves := v.Op == ir.OpCall || v.Op == ir.OpTailCall || isHelper && h.InvalidatesPackets
	kept := have[:0]
	for _, k := range have {
		switch kindOf(k.at.root) {
		case objectSlot:
			if m.escaped[k.at.root.Aux.(*ir.Slot)] {
				continue
			}
		case objectPacket, objectContext:
			if moves {
				continue
			}
		default:
			continue
		}
		kept = append(kept, k)
	}
	return kept
}

// deadStores removes stores to slots that nothing reads before they are
// overwritten or the function ends, and takes the overwritten parts off
// clears.
func deadStores(f *ir.Func) {
	escaped := escapedSlots(f)
	removeUnread(f, escaped)
	for _, b := range f.Blocks {
		overwritten(b, escaped)
	}
	clean(f)
	dropSlots(f)
}

// removeUnread drops all writes to slots that are never read.
func removeUnread(f *ir.Func, escaped map[*ir.Slot]bool) {
	read := map[*ir.Slot]bool{}
	note := func(p *ir.Value) {
		if base := placeOf(p, 0, -1).root; base.Op == ir.OpSlotAddr {
			read[base.Aux.(*ir.Slot)] = true
		}
	}
	for _, b := range f.Blocks {
		for _, v := range b.Values {
			for i, a := range v.Args {
				writesOnly := i == 0 && (v.Op == ir.OpStore || v.Op == ir.OpZero || v.Op == ir.OpMove) || v.Op == ir.OpPtrAdd
				if !writesOnly && a.Type == ir.Ptr {
					note(a)
				}
			}
		}
		for _, r := range b.Rets {
			if r.Type == ir.Ptr {
				note(r)
			}
		}
	}
	for _, b := range f.Blocks {
		kept := b.Values[:0]
		for _, v := range b.Values {
			if v.Op == ir.OpStore || v.Op == ir.OpZero || v.Op == ir.OpMove {
				base := placeOf(v.Args[0], 0, -1).root
				if base.Op == ir.OpSlotAddr && !read[base.Aux.(*ir.Slot)] && !escaped[base.Aux.(*ir.Slot)] {
					continue
				}
			}
			kept = append(kept, v)
		}
		b.Values = kept
	}
}

// span is a range of bytes of a slot.
type span struct {
	slot     *ir.Slot
	from, to int64
}

// overwritten walks b backwards with the bytes of slots that will be written
// before they are read, and drops or shortens writes that fall into them.
func overwritten(b *ir.Block, escaped map[*ir.Slot]bool) {
	var dead []span
	if b.Term == ir.TermRet || b.Term == ir.TermFault {
		for _, s := range b.Func.Slots {
			if !escaped[s] {
				dead = append(dead, span{s, 0, s.Size})
			}
		}
	}
	out := make([]*ir.Value, 0, len(b.Values))
	for i := len(b.Values) - 1; i >= 0; i-- {
		v := b.Values[i]
		keep := true
		switch v.Op {
		case ir.OpStore:
			p := placeOf(v.Args[0], v.Int, storeType(v).Size())
			if s, ok := slotSpan(p); ok {
				keep = !covered(dead, s)
				if !escaped[s.slot] {
					dead = append(dead, s)
				}
			}
		case ir.OpZero:
			p := placeOf(v.Args[0], v.Int, v.Aux.(int64))
			if s, ok := slotSpan(p); ok {
				out = appendLive(out, b, v, s, dead)
				keep = false
				if !escaped[s.slot] {
					dead = append(dead, s)
				}
			}
		case ir.OpMove:
			if s, ok := slotSpan(placeOf(v.Args[0], 0, v.Int)); ok && !escaped[s.slot] {
				dead = append(dead, s)
			}
			dead = removeRead(dead, v)
		default:
			dead = addFilled(dead, v, escaped)
			dead = removeRead(dead, v)
		}
		if keep {
			out = append(out, v)
		}
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	b.Values = out
}

func slotSpan(p place) (span, bool) {
	if p.base.Op != ir.OpSlotAddr || p.size < 0 {
		return span{}, false
	}
	return span{p.base.Aux.(*ir.Slot), p.off, p.off + p.size}, true
}

func covered(dead []span, s span) bool {
	return len(subtract(s, dead)) == 0
}

// subtract returns the parts of s that no dead span covers.
func subtract(s span, dead []span) []span {
	live := []span{s}
	for _, d := range dead {
		if d.slot != s.slot {
			continue
		}
		var next []span
		for _, l := range live {
			if d.to <= l.from || l.to <= d.from {
				next = append(next, l)
				continue
			}
			if l.from < d.from {
				next = append(next, span{l.slot, l.from, d.from})
			}
			if d.to < l.to {
				next = append(next, span{l.slot, d.to, l.to})
			}
		}
		live = next
	}
	return live
}

// appendLive replaces a clear by clears of the parts that matter. Out runs
// backwards.
func appendLive(out []*ir.Value, b *ir.Block, v *ir.Value, s span, dead []span) []*ir.Value {
	live := subtract(s, dead)
	if len(live) == 1 && live[0] == s {
		return append(out, v)
	}
	for _, l := range live {
		addr := b.NewValue(ir.OpSlotAddr, ir.Ptr, v.Pos)
		addr.Aux, addr.Int = l.slot, l.from
		z := b.NewValue(ir.OpZero, ir.Void, v.Pos, addr)
		z.Aux = l.to - l.from
		out = append(out, z, addr)
	}
	return out
}

// addFilled adds what helper call v overwrites as a whole to the dead spans.
func addFilled(dead []span, v *ir.Value, escaped map[*ir.Slot]bool) []span {
	h, ok := v.Aux.(*ir.HelperCall)
	if !ok {
		return dead
	}
	for i, n := range h.Fills {
		if n == 0 {
			continue
		}
		if s, ok := slotSpan(placeOf(v.Args[i], 0, n)); ok && !escaped[s.slot] {
			dead = append(dead, s)
		}
	}
	return dead
}

// removeRead takes what v may read off the dead spans.
func removeRead(dead []span, v *ir.Value) []span {
	for i, a := range v.Args {
		if a.Type != ir.Ptr || v.Op == ir.OpPtrAdd || v.Op.IsCompare() {
			continue
		}
		size := int64(-1)
		switch v.Op {
		case ir.OpLoad:
			size = loadType(v).Size()
		case ir.OpMove:
			if i == 0 {
				continue
			}
			size = v.Int
		case ir.OpHelper:
			h := v.Aux.(*ir.HelperCall)
			if h.Fills[i] > 0 {
				continue
			}
			if h.Reads[i] > 0 {
				size = h.Reads[i]
			}
		}
		p := placeOf(a, 0, size)
		if v.Op == ir.OpLoad || v.Op == ir.OpVolatile || v.Op == ir.OpAtomic {
			p = placeOf(a, v.Int, size)
		}
		if p.root.Op != ir.OpSlotAddr {
			continue
		}
		slot := p.root.Aux.(*ir.Slot)
		read := span{slot, 0, slot.Size}
		if p.constant() && size >= 0 {
			read = span{slot, p.off, p.off + size}
		}
		var next []span
		for _, d := range dead {
			if d.slot == slot {
				next = append(next, subtract(d, []span{read})...)
			} else {
				next = append(next, d)
			}
		}
		dead = next
	}
	return dead
}
