package ir

// DropUnreachable removes the blocks that no path from the entry reaches.
func (f *Func) DropUnreachable() bool {
	seen := make([]bool, f.nextBlock)
	for _, b := range f.Postorder() {
		seen[b.ID] = true
	}
	changed := false
	kept := f.Blocks[:0]
	for _, b := range f.Blocks {
		if seen[b.ID] {
			kept = append(kept, b)
			continue
		}
		changed = true
		for _, s := range b.Succs {
			if seen[s.ID] {
				s.RemovePred(s.PredIndex(b))
			}
		}
		b.Succs = nil
	}
	f.Blocks = kept
	return changed
}

// ReplaceUses makes every use of old in f a use of new, following the map
// through chains. It serves passes that collect replacements and apply them
// in one sweep.
func (f *Func) ReplaceUses(repl map[*Value]*Value) {
	if len(repl) == 0 {
		return
	}
	resolve := func(v *Value) *Value {
		for {
			n, ok := repl[v]
			if !ok {
				return v
			}
			v = n
		}
	}
	for _, b := range f.Blocks {
		for _, v := range b.Values {
			for i, a := range v.Args {
				v.Args[i] = resolve(a)
			}
		}
		if b.Control != nil {
			b.Control = resolve(b.Control)
		}
		for i, r := range b.Rets {
			b.Rets[i] = resolve(r)
		}
	}
}

// UseCounts returns how often each value is used, by ID.
func (f *Func) UseCounts() []int {
	n := make([]int, f.nextValue)
	for _, b := range f.Blocks {
		for _, v := range b.Values {
			for _, a := range v.Args {
				n[a.ID]++
			}
		}
		if b.Control != nil {
			n[b.Control.ID]++
		}
		for _, r := range b.Rets {
			n[r.ID]++
		}
	}
	return n
}
