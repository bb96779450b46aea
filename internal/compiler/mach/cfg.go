package mach

import "slices"

// This file makes the control-flow graph smaller without changing what runs.

// Simplify threads jumps through empty blocks, removes conditional jumps that
// don't decide anything, drops unreachable blocks and joins blocks that only
// follow each other.
func (f *Func) Simplify() {
	f.thread()
	f.dropUnreachable()
	f.join()
}

// thread makes every edge skip empty blocks.
func (f *Func) thread() {
	for _, b := range f.Blocks {
		for k, s := range b.Succs {
			b.Succs[k] = s.skipEmpty()
		}
		if len(b.Succs) == 2 && b.Succs[0] == b.Succs[1] {
			b.Insns = b.Insns[:len(b.Insns)-1]
			b.Succs = b.Succs[:1]
		}
	}
}

// skipEmpty returns the first block at or behind b that does something. A loop
// of empty blocks ends at some block of it.
func (b *Block) skipEmpty() *Block {
	slow := b
	for steps := 0; len(b.Insns) == 0; steps++ {
		b = b.Succs[0]
		if steps%2 == 1 {
			slow = slow.Succs[0]
		}
		if b == slow {
			break
		}
	}
	return b
}

// dropUnreachable removes blocks that the entry doesn't reach, keeps the others
// in order, and recomputes Preds.
func (f *Func) dropUnreachable() {
	seen := make([]bool, len(f.Blocks))
	for _, b := range f.PostOrder() {
		seen[b.Index] = true
	}
	f.Blocks = slices.DeleteFunc(f.Blocks, func(b *Block) bool { return !seen[b.Index] })
	f.Number()
	for _, b := range f.Blocks {
		b.Preds = nil
	}
	for _, b := range f.Blocks {
		for _, s := range b.Succs {
			s.Preds = append(s.Preds, b)
		}
	}
}

// join appends to each block its only successor if that has no other
// predecessor.
func (f *Func) join() {
	for _, b := range f.Blocks {
		if b.Succs == nil && b.Preds == nil && b != f.Blocks[0] {
			continue // joined to another one already
		}
		for len(b.Succs) == 1 && len(b.Succs[0].Preds) == 1 {
			s := b.Succs[0]
			if s == b || s == f.Blocks[0] {
				break
			}
			b.absorb(s)
		}
	}
	f.dropUnreachable()
}

func (b *Block) absorb(s *Block) {
	b.Insns = append(b.Insns, s.Insns...)
	b.Succs = s.Succs
	b.Cold = b.Cold && s.Cold
	for _, t := range b.Succs {
		for k, p := range t.Preds {
			if p == s {
				t.Preds[k] = b
			}
		}
	}
	s.Insns, s.Succs, s.Preds = nil, nil, nil
}
