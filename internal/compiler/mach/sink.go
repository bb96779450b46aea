package mach

// sinkConstants moves loads of constants down to the first use in the same
// block. Values then live shorter, and more ends of blocks are equal.
func (b *Block) sinkConstants() {
	for n := len(b.Insns) - 2; n >= 0; n-- {
		if !b.Insns[n].IsConstant() {
			continue
		}
		to := b.firstUse(n)
		// Constants for the same use keep their order.
		for to > n+1 && b.Insns[to-1].IsConstant() {
			to--
		}
		if to > n+1 {
			i := b.Insns[n]
			copy(b.Insns[n:], b.Insns[n+1:to])
			b.Insns[to-1] = i
		}
	}
}

// firstUse returns the first instruction behind n that reads what n writes; n if
// there is none in the block.
func (b *Block) firstUse(n int) int {
	d := b.Insns[n].Dst
	var buf [8]Reg
	for m := n + 1; m < len(b.Insns); m++ {
		i := &b.Insns[m]
		for _, r := range i.AppendUses(buf[:0]) {
			if r == d {
				return m
			}
		}
		for _, r := range i.AppendDefs(buf[:0]) {
			if r == d {
				return n
			}
		}
		if i.Clobbers() && d <= R5 {
			return n
		}
	}
	return n
}
