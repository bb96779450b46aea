package mach

import (
	"cmp"
	"slices"
)

// This file orders blocks bottom up: edges from hot to cold, each of which joins
// two chains of blocks if it leads from the end of one to the start of the other
// (Pettis and Hansen, Profile Guided Code Positioning, 1990, 4.2.1). Frequencies
// come from the loop depth, so a loop's inner edges are joined before its entry.
//
// Up to Linux 6.1 at least, check_cfg in kernel/bpf/verifier.c accepts the edge
// that closes a loop from a jump only. A block that has no conditional jump and
// goes back is therefore never laid out in front of where it goes.

// edge is a possible fall through.
type edge struct {
	from, to *Block
	weight   int
}

// freq estimates how often b runs.
func (b *Block) freq() int {
	if b.Cold {
		return 0
	}
	return 16 << (3 * min(b.Depth, 6))
}

// weight estimates what it brings that s follows b: a jump without a condition
// is saved for sure, one of the two ways of a conditional jump usually has
// another chance.
func (b *Block) weight(k int) int {
	w := min(b.freq(), b.Succs[k].freq())
	switch {
	case len(b.Succs) == 1:
		return 4*w + 1
	case k == 1:
		return 3 * w
	}
	return 2 * w
}

// order sorts f.Blocks: entry first, chains in topological order, cold chains
// last.
func (f *Func) order() {
	post := f.PostOrder()
	rank := make([]int, len(f.Blocks)) // place in reverse post-order
	for n, b := range post {
		rank[b.Index] = len(post) - 1 - n
	}
	chains := newChains(f.Blocks)
	for _, e := range f.edges(rank) {
		chains.join(e.from, e.to)
	}
	f.Blocks = chains.sorted(f.Blocks[0], rank)
}

// edges returns the possible fall throughs, best first.
func (f *Func) edges(rank []int) []edge {
	var es []edge
	for _, b := range f.Blocks {
		b.goesBack = len(b.Succs) == 1 && rank[b.Succs[0].Index] <= rank[b.Index]
		for k, s := range b.Succs {
			if s != f.Blocks[0] && !b.goesBack {
				es = append(es, edge{b, s, b.weight(k)})
			}
		}
	}
	slices.SortStableFunc(es, func(x, y edge) int {
		return cmp.Or(cmp.Compare(y.weight, x.weight), cmp.Compare(rank[x.from.Index], rank[y.from.Index]))
	})
	return es
}

// chains is a partition of the blocks into runs laid out as they are.
type chains struct {
	of []*[]*Block // by Block.Index
}

func newChains(blocks []*Block) *chains {
	c := &chains{of: make([]*[]*Block, len(blocks))}
	for k, b := range blocks {
		c.of[k] = &[]*Block{b}
	}
	return c
}

// join appends the chain of to to that of from if to is a start and from an end.
func (c *chains) join(from, to *Block) {
	x, y := c.of[from.Index], c.of[to.Index]
	if x == y || (*x)[len(*x)-1] != from || (*y)[0] != to {
		return
	}
	*x = append(*x, *y...)
	for _, b := range *y {
		c.of[b.Index] = x
	}
}

// sorted returns all blocks, chain by chain.
func (c *chains) sorted(entry *Block, rank []int) []*Block {
	first := c.of[entry.Index]
	var rest []*[]*Block
	seen := map[*[]*Block]bool{first: true}
	for _, x := range c.of {
		if !seen[x] {
			seen[x] = true
			rest = append(rest, x)
		}
	}
	cold := func(x *[]*Block) int {
		for _, b := range *x {
			if !b.Cold {
				return 0
			}
		}
		return 1
	}
	low := func(x *[]*Block) int {
		r := len(rank)
		for _, b := range *x {
			r = min(r, rank[b.Index])
		}
		return r
	}
	slices.SortStableFunc(rest, func(x, y *[]*Block) int {
		return cmp.Or(cmp.Compare(cold(x), cold(y)), cmp.Compare(low(x), low(y)))
	})
	out := slices.Clone(*first)
	for _, x := range rest {
		out = append(out, *x...)
	}
	return out
}
