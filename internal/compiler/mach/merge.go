package mach

import "slices"

// This file merges equal code at the ends of blocks (cross jumping; Muchnick,
// Advanced Compiler Design and Implementation, 18.8).

// gain returns how many instructions it saves that another block shares the last
// n of b. The jump to the common end takes the place of the jump to the common
// successor or the common exit, but comes on top of a conditional jump.
func (b *Block) gain(n int) int {
	if len(b.Succs) == 2 {
		n--
	}
	return n
}

// MergeTails merges blocks whose instructions and successors are equal, then
// the ends of blocks where that saves instructions. Where a merged instruction
// came from several source positions it keeps the first.
func (f *Func) MergeTails() {
	for _, b := range f.Blocks {
		b.sinkConstants()
	}
	f.shareExits()
	for f.mergeEqual() {
	}
	f.mergeSuffixes()
	f.Simplify()
}

// shareExits makes all blocks that end in an exit go to one that has nothing
// else, if there is none yet. Layout puts the exit back where a jump to it would
// be needed.
func (f *Func) shareExits() {
	var exit *Block
	for _, b := range f.Blocks {
		if len(b.Insns) == 1 && b.Insns[0].Op == EXIT && b != f.Blocks[0] {
			exit = b
			break
		}
	}
	for _, b := range f.Blocks {
		n := len(b.Insns)
		if n == 0 || b.Insns[n-1].Op != EXIT || b == exit {
			continue
		}
		if exit == nil {
			exit = &Block{ID: f.nextID(), Insns: []Insn{b.Insns[n-1]}, Cold: true}
			f.Blocks = append(f.Blocks, exit)
		}
		b.Insns = b.Insns[:n-1]
		b.Succs = []*Block{exit}
		exit.Cold = exit.Cold && b.Cold
	}
	f.dropUnreachable()
}

// sameEffect reports whether a and b are the same instruction, wherever they
// come from.
func sameEffect(a, b *Insn) bool {
	x, y := *a, *b
	x.Pos, y.Pos = 0, 0
	return x == y
}

// commonTail returns how many instructions a and b have in common at their
// ends.
func commonTail(a, b *Block) int {
	x, y := a.Insns, b.Insns
	n := 0
	for n < len(x) && n < len(y) && sameEffect(&x[len(x)-1-n], &y[len(y)-1-n]) {
		n++
	}
	return n
}

// tailKey groups blocks that may share an end.
type tailKey struct {
	op     Opcode
	imm    int64
	s0, s1 *Block
}

func (b *Block) tailKey() tailKey {
	var k tailKey
	if n := len(b.Insns); n > 0 {
		k.op, k.imm = b.Insns[n-1].Op, b.Insns[n-1].Imm
	}
	switch len(b.Succs) {
	case 2:
		k.s1 = b.Succs[1]
		fallthrough
	case 1:
		k.s0 = b.Succs[0]
	}
	return k
}

// tailGroups returns the blocks by tailKey, in the order of their first blocks.
func (f *Func) tailGroups() [][]*Block {
	at := make(map[tailKey]int)
	var groups [][]*Block
	for _, b := range f.Blocks {
		if len(b.Insns) == 0 {
			continue
		}
		k := b.tailKey()
		n, ok := at[k]
		if !ok {
			n = len(groups)
			at[k] = n
			groups = append(groups, nil)
		}
		groups[n] = append(groups[n], b)
	}
	return groups
}

// mergeEqual redirects edges to the first of equal blocks and reports whether
// it did so.
func (f *Func) mergeEqual() bool {
	same := make(map[*Block]*Block)
	for _, g := range f.tailGroups() {
		for n, b := range g {
			for _, a := range g[:n] {
				if b != f.Blocks[0] && same[a] == nil && equalBlocks(a, b) {
					same[b] = a
					a.Cold = a.Cold && b.Cold
					a.Depth = max(a.Depth, b.Depth)
					break
				}
			}
		}
	}
	if len(same) == 0 {
		return false
	}
	for _, b := range f.Blocks {
		for k, s := range b.Succs {
			if a := same[s]; a != nil {
				b.Succs[k] = a
			}
		}
	}
	f.dropUnreachable()
	return true
}

func equalBlocks(a, b *Block) bool {
	return len(a.Insns) == len(b.Insns) && commonTail(a, b) == len(a.Insns)
}

// mergeSuffixes gives the longest common ends of blocks a block of their own,
// but not in loops, where the jump that this costs runs often.
func (f *Func) mergeSuffixes() {
	for _, g := range f.tailGroups() {
		g = slices.DeleteFunc(g, func(b *Block) bool { return b.Depth > 0 && !b.Cold })
		for len(g) > 1 {
			g = f.mergeLongest(g)
		}
	}
	f.dropUnreachable()
}

// mergeLongest takes the first block of g, merges it with the blocks that have
// the longest end in common with it and returns what is left to compare.
func (f *Func) mergeLongest(g []*Block) []*Block {
	first, rest := g[0], g[1:]
	best := 0
	for _, b := range rest {
		best = max(best, commonTail(first, b))
	}
	if first.gain(best) < 1 {
		return rest
	}
	tail := f.splitTail(first, best)
	left := []*Block{tail}
	for _, b := range rest {
		if commonTail(tail, b) < best {
			left = append(left, b)
			continue
		}
		b.Insns = b.Insns[:len(b.Insns)-best]
		b.Succs = []*Block{tail}
		tail.Cold = tail.Cold && b.Cold
		tail.Depth = max(tail.Depth, b.Depth)
	}
	return left
}

// splitTail moves the last n instructions of b to a block of their own, unless
// b has no others, and returns it.
func (f *Func) splitTail(b *Block, n int) *Block {
	if n == len(b.Insns) && b != f.Blocks[0] {
		return b
	}
	cut := len(b.Insns) - n
	tail := &Block{ID: f.nextID(), Depth: b.Depth, Cold: b.Cold, Succs: b.Succs}
	tail.Insns = append(tail.Insns, b.Insns[cut:]...)
	b.Insns, b.Succs = b.Insns[:cut:cut], []*Block{tail}
	f.Blocks = append(f.Blocks, tail)
	return tail
}

func (f *Func) nextID() int {
	id := 0
	for _, b := range f.Blocks {
		id = max(id, b.ID+1)
	}
	return id
}
