package mach

import "slices"

// HoistConstants saves the jump around one arm of a branch: where a conditional
// jump leads to a block that only loads constants and goes on, and what they are
// loaded into matters nowhere else, the loads move in front of the jump.
//
//	if x goto b1          r = 1
//	r = 2            =>   if x goto b2
//	goto b2               r = 2
//	b1: r = 1             b2:
//	b2:
//
// It is meant for virtual registers: afterwards the compared register often is
// the one that the constant goes to.
func (f *Func) HoistConstants() {
	live := f.Liveness()
	for _, b := range f.Blocks {
		if len(b.Succs) != 2 {
			continue
		}
		for k, s := range b.Succs {
			if f.canHoist(b, s, live.In[b.Succs[1-k].Index]) {
				f.hoist(b, k)
				break
			}
		}
	}
	f.dropUnreachable()
}

// canHoist reports whether all of s can move to the end of b, behind which other
// registers are live on the other way.
func (f *Func) canHoist(b, s *Block, other RegSet) bool {
	if len(s.Preds) != 1 || len(s.Succs) != 1 || len(s.Insns) == 0 || len(s.Insns) > 2 ||
		s.Depth < b.Depth || s.Cold && !b.Cold {
		return false
	}
	jump := &b.Insns[len(b.Insns)-1]
	uses := jump.AppendUses(nil)
	for n := range s.Insns {
		i := &s.Insns[n]
		if !i.IsConstant() || other.Has(i.Dst) || slices.Contains(uses, i.Dst) {
			return false
		}
	}
	return true
}

// hoist moves the code of b's successor number k to the end of b and lets b lead
// to what follows it.
func (f *Func) hoist(b *Block, k int) {
	s := b.Succs[k]
	end := len(b.Insns) - 1
	b.Insns = slices.Insert(slices.Clip(b.Insns), end, s.Insns...)
	s.Insns = nil
	b.Succs[k] = s.Succs[0]
}

// IsConstant reports whether i loads an immediate in one slot.
func (i *Insn) IsConstant() bool {
	return (i.Op == Opcode(ClassALU64)|Mov || i.Op == Opcode(ClassALU)|Mov) && i.Off == 0
}
