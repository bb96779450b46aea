package ir

// Postorder returns the blocks reachable from the entry in postorder.
func (f *Func) Postorder() []*Block {
	seen := make([]bool, f.nextBlock)
	out := make([]*Block, 0, len(f.Blocks))
	type frame struct {
		b    *Block
		next int
	}
	stack := []frame{{f.Entry(), 0}}
	seen[f.Entry().ID] = true
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		if top.next < len(top.b.Succs) {
			s := top.b.Succs[top.next]
			top.next++
			if !seen[s.ID] {
				seen[s.ID] = true
				stack = append(stack, frame{s, 0})
			}
			continue
		}
		out = append(out, top.b)
		stack = stack[:len(stack)-1]
	}
	return out
}

// DomTree is the dominator tree of a function.
type DomTree struct {
	idom      []*Block // by block ID; nil for the entry and unreachable blocks
	pre, post []int32  // intervals in the tree, for Dominates
	Children  [][]*Block
	RPO       []*Block // reachable blocks in reverse postorder
}

// Dominators computes f's dominator tree after Cooper, Harvey and Kennedy,
// "A Simple, Fast Dominance Algorithm" (2001).
func (f *Func) Dominators() *DomTree {
	po := f.Postorder()
	num := make([]int, f.nextBlock)
	for i := range num {
		num[i] = -1
	}
	for i, b := range po {
		num[b.ID] = i
	}
	t := &DomTree{
		idom: make([]*Block, f.nextBlock), Children: make([][]*Block, f.nextBlock),
		pre: make([]int32, f.nextBlock), post: make([]int32, f.nextBlock),
	}
	for i := len(po) - 1; i >= 0; i-- {
		t.RPO = append(t.RPO, po[i])
	}
	entry := f.Entry()
	t.idom[entry.ID] = entry
	intersect := func(a, b *Block) *Block {
		for a != b {
			for num[a.ID] < num[b.ID] {
				a = t.idom[a.ID]
			}
			for num[b.ID] < num[a.ID] {
				b = t.idom[b.ID]
			}
		}
		return a
	}
	for changed := true; changed; {
		changed = false
		for _, b := range t.RPO[1:] {
			var d *Block
			for _, p := range b.Preds {
				if num[p.ID] < 0 || t.idom[p.ID] == nil {
					continue
				}
				if d == nil {
					d = p
				} else {
					d = intersect(p, d)
				}
			}
			if t.idom[b.ID] != d {
				t.idom[b.ID] = d
				changed = true
			}
		}
	}
	t.idom[entry.ID] = nil
	for _, b := range t.RPO[1:] {
		d := t.idom[b.ID]
		t.Children[d.ID] = append(t.Children[d.ID], b)
	}
	t.number(entry)
	return t
}

func (t *DomTree) number(entry *Block) {
	type frame struct {
		b    *Block
		next int
	}
	clock := int32(1)
	t.pre[entry.ID] = clock
	stack := []frame{{entry, 0}}
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		kids := t.Children[top.b.ID]
		clock++
		if top.next < len(kids) {
			k := kids[top.next]
			top.next++
			t.pre[k.ID] = clock
			stack = append(stack, frame{k, 0})
			continue
		}
		t.post[top.b.ID] = clock
		stack = stack[:len(stack)-1]
	}
}

// Idom returns the immediate dominator of b, nil for the entry.
func (t *DomTree) Idom(b *Block) *Block { return t.idom[b.ID] }

// Dominates reports whether every path to b passes a; a block dominates itself.
func (t *DomTree) Dominates(a, b *Block) bool {
	return t.pre[a.ID] != 0 && t.pre[b.ID] != 0 && t.pre[a.ID] <= t.pre[b.ID] && t.post[b.ID] <= t.post[a.ID]
}

// Knows reports whether b existed when the tree was computed.
func (t *DomTree) Knows(b *Block) bool { return b.ID < len(t.pre) }

// Reachable reports whether b can be reached from the entry.
func (t *DomTree) Reachable(b *Block) bool { return t.pre[b.ID] != 0 }

// LoopDepths returns the natural-loop nesting depth of every block, by ID.
func (f *Func) LoopDepths(t *DomTree) []int {
	depth := make([]int, f.nextBlock)
	for _, head := range t.RPO {
		body := f.LoopBody(t, head)
		for b := range body {
			depth[b.ID]++
		}
	}
	return depth
}

// LoopBody returns the blocks of the natural loop with the given header, nil
// if head is no loop header.
func (f *Func) LoopBody(t *DomTree, head *Block) map[*Block]bool {
	var body map[*Block]bool
	var work []*Block
	for _, p := range head.Preds {
		if t.Dominates(head, p) {
			if body == nil {
				body = map[*Block]bool{head: true}
			}
			if !body[p] {
				body[p] = true
				work = append(work, p)
			}
		}
	}
	for len(work) > 0 {
		b := work[len(work)-1]
		work = work[:len(work)-1]
		for _, p := range b.Preds {
			if !body[p] && t.Reachable(p) {
				body[p] = true
				work = append(work, p)
			}
		}
	}
	return body
}
