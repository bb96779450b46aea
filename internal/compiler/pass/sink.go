package pass

import "github.com/waggle-bpf/waggle/internal/compiler/ir"

// sinkLoads moves a load with one use down to that use, as far as nothing in
// between writes the memory it reads. Taking copies apart leaves all loads in
// front of all stores, which is more than the registers hold. A load never moves
// up: it stays behind the checks that guard it.
func sinkLoads(f *ir.Func) {
	escaped := escapedSlots(f)
	uses := f.UseCounts()
	for _, b := range f.Blocks {
		s := sinker{b: b, escaped: escaped, user: map[*ir.Value]*ir.Value{}}
		for _, v := range b.Values {
			if v.Op == ir.OpPhi {
				continue
			}
			for _, a := range v.Args {
				if a.Op == ir.OpLoad && a.Block == b && uses[a.ID] == 1 {
					s.user[a] = v
				}
			}
		}
		if len(s.user) > 0 {
			s.run()
		}
	}
}

type sinker struct {
	b       *ir.Block
	escaped map[*ir.Slot]bool
	user    map[*ir.Value]*ir.Value // the only user of a load
	waiting []*ir.Value
	out     []*ir.Value
}

// run rebuilds the block: loads wait until their user comes, or a write that
// they must not pass.
func (s *sinker) run() {
	for _, v := range s.b.Values {
		if v.Op == ir.OpLoad && s.user[v] != nil {
			s.waiting = append(s.waiting, v)
			continue
		}
		s.flush(func(l *ir.Value) bool { return s.blocks(v, l) })
		s.emit(v)
	}
	s.flush(func(*ir.Value) bool { return true })
	s.b.Values = s.out
}

// flush emits the waiting loads that are due.
func (s *sinker) flush(due func(*ir.Value) bool) {
	for _, l := range append([]*ir.Value{}, s.waiting...) {
		if due(l) && s.take(l) {
			s.emit(l)
		}
	}
}

// emit puts v out, behind the loads that wait for it.
func (s *sinker) emit(v *ir.Value) {
	for _, a := range v.Args {
		if s.user[a] == v && s.take(a) {
			s.emit(a)
		}
	}
	s.out = append(s.out, v)
}

// take removes l from the waiting loads; false if it is not among them.
func (s *sinker) take(l *ir.Value) bool {
	for i, x := range s.waiting {
		if x == l {
			s.waiting = append(s.waiting[:i:i], s.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// blocks reports whether load l may not move below v.
func (s *sinker) blocks(v, l *ir.Value) bool {
	if !v.Op.HasEffect() {
		return false
	}
	if v.Op != ir.OpStore {
		return true
	}
	at := placeOf(l.Args[0], l.Int, loadType(l).Size())
	return mayAlias(at, placeOf(v.Args[0], v.Int, storeType(v).Size()), s.escaped)
}
