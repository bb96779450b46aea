package regalloc

import (
	"github.com/waggle-bpf/waggle/internal/compiler/mach"
)

// This file cuts live ranges at calls. All registers to be cut are handled at
// once, as sets of indices into split.regs.

// set is a set of indices into split.regs.
type set = mach.RegSet

type split struct {
	a    *allocator
	regs []mach.Reg
	at   []int // index of a register in regs, -1 for others
	live *mach.Liveness
	// liveIn is live.In of regs, by Block.Index, as are the next ones.
	liveIn []set
	// in and out: the value is in its register where the block begins and
	// ends, once the reloads are where they should be.
	in, out []set
	// near: there is a use ahead, before any call, no less often executed.
	near  []set
	calls [][]set // by block, for its calls in order: regs that live across
	bill  bill
}

// bill is what cutting costs, by index into regs.
type bill struct {
	loads, hits           []float64 // reloads; uses that need none
	storesDefs, storeCall []float64 // with stores behind definitions or before calls
	stale                 set       // stores before calls would be too late
}

func newSplit(a *allocator, regs []mach.Reg, live *mach.Liveness) *split {
	n := len(a.f.Blocks)
	s := &split{
		a: a, regs: regs, live: live, at: make([]int, a.f.Limit()),
		liveIn: make([]set, n), in: make([]set, n), out: make([]set, n), near: make([]set, n),
		calls: make([][]set, n),
	}
	for r := range s.at {
		s.at[r] = -1
	}
	for k, r := range regs {
		s.at[r] = k
	}
	if len(regs) == 0 {
		return s
	}
	order := a.f.PostOrder()
	s.findLive()
	s.findNear(order)
	s.findAvailable(order)
	s.settle(order)
	return s
}

func (s *split) newSet() set { return mach.NewRegSet(mach.Reg(len(s.regs))) }

// fullSet returns a set of all regs, and of numbers above them that do no harm.
func (s *split) fullSet() set {
	f := s.newSet()
	for n := range f {
		f[n] = ^uint64(0)
	}
	return f
}

// index returns the place of r in regs as a set element.
func (s *split) index(r mach.Reg) (mach.Reg, bool) {
	k := s.at[r]
	return mach.Reg(k), k >= 0
}

// project keeps of a set of registers those in regs.
func (s *split) project(rs mach.RegSet) set {
	p := s.newSet()
	for k, r := range s.regs {
		if rs.Has(r) {
			p.Add(mach.Reg(k))
		}
	}
	return p
}

// findLive computes what lives at the starts of blocks and across calls.
func (s *split) findLive() {
	var buf [8]mach.Reg
	for _, b := range s.a.f.Blocks {
		now := s.project(s.live.Out[b.Index])
		var across []set
		for n := len(b.Insns) - 1; n >= 0; n-- {
			i := &b.Insns[n]
			for _, r := range i.AppendDefs(buf[:0]) {
				if k, ok := s.index(r); ok {
					now.Remove(k)
				}
			}
			if i.Clobbers() {
				c := s.newSet()
				c.Copy(now)
				across = append(across, c)
			}
			for _, r := range i.AppendUses(buf[:0]) {
				if k, ok := s.index(r); ok {
					now.Add(k)
				}
			}
		}
		for n := len(across) - 1; n >= 0; n-- {
			s.calls[b.Index] = append(s.calls[b.Index], across[n])
		}
		s.liveIn[b.Index] = now
	}
}

// findNear computes near, backwards.
func (s *split) findNear(post []*mach.Block) {
	for n := range s.near {
		s.near[n] = s.newSet()
	}
	var buf [8]mach.Reg
	for changed := true; changed; {
		changed = false
		for _, b := range post {
			now := s.newSet()
			for _, t := range b.Succs {
				if t.Depth >= b.Depth && (b.Cold || !t.Cold) {
					now.AddAll(s.near[t.Index])
				}
			}
			for n := len(b.Insns) - 1; n >= 0; n-- {
				i := &b.Insns[n]
				if i.Clobbers() {
					clear(now)
				}
				for _, r := range i.AppendDefs(buf[:0]) {
					if k, ok := s.index(r); ok {
						now.Remove(k)
					}
				}
				for _, r := range i.AppendUses(buf[:0]) {
					if k, ok := s.index(r); ok {
						now.Add(k)
					}
				}
			}
			changed = replace(s.near[b.Index], now) || changed
		}
	}
}

// replace makes dst equal to src and reports whether it was not.
func replace(dst, src set) bool {
	changed := false
	for n, w := range src {
		changed = changed || dst[n] != w
		dst[n] = w
	}
	return changed
}

// findAvailable computes in and out, forwards, from everything down: a value is
// in its register if it is on all incoming edges, or if it is worth reloading it
// on those where it is not.
func (s *split) findAvailable(post []*mach.Block) {
	for n := range s.in {
		s.in[n], s.out[n] = s.fullSet(), s.fullSet()
	}
	clear(s.in[0])
	for changed := true; changed; {
		changed = false
		for n := len(post) - 1; n >= 0; n-- {
			b := post[n]
			if b.Index != 0 {
				s.meet(b)
			}
			now := s.newSet()
			now.Copy(s.in[b.Index])
			s.walk(b, now, visitor{})
			changed = replace(s.out[b.Index], now) || changed
		}
	}
}

// meet computes in of b from its predecessors.
func (s *split) meet(b *mach.Block) {
	in, some := s.fullSet(), s.newSet()
	for _, p := range b.Preds {
		for n, w := range s.out[p.Index] {
			in[n] &= w
			some[n] |= w
		}
	}
	for n := range some {
		some[n] &^= in[n]
		some[n] &= s.liveIn[b.Index][n] & s.near[b.Index][n]
	}
	for k := range some.All { // all in liveIn, so below len(regs)
		if s.edgeCost(b, k) <= weight(b) {
			in.Add(k)
		}
	}
	s.in[b.Index].Copy(in)
}

// edgeCost is the price of reloading k on the edges to b where it is missing.
func (s *split) edgeCost(b *mach.Block, k mach.Reg) float64 {
	cost := 0.0
	for _, p := range b.Preds {
		if !s.out[p.Index].Has(k) {
			cost += edgeWeight(p, b)
		}
	}
	return cost
}

func edgeWeight(p, b *mach.Block) float64 {
	if len(p.Succs) == 1 {
		return weight(p)
	}
	return min(weight(p), weight(b))
}

// visitor is told what happens at instruction n of a block to registers k.
type visitor struct {
	reload func(n int, k mach.Reg) // missing, and used by n
	hit    func(k mach.Reg)        // there, and used
	call   func(n int, across set)
	def    func(n int, k mach.Reg)
}

// walk runs through b with now, what is in registers, and keeps now up to date.
func (s *split) walk(b *mach.Block, now set, v visitor) {
	var buf [8]mach.Reg
	calls := s.calls[b.Index]
	for n := range b.Insns {
		i := &b.Insns[n]
		for _, r := range i.AppendUses(buf[:0]) {
			k, ok := s.index(r)
			if !ok {
				continue
			}
			if !now.Has(k) {
				if v.reload != nil {
					v.reload(n, k)
				}
			} else if v.hit != nil {
				v.hit(k)
			}
			now.Add(k)
		}
		if i.Clobbers() {
			if v.call != nil {
				v.call(n, calls[0])
			}
			calls = calls[1:]
			clear(now)
		}
		for _, r := range i.AppendDefs(buf[:0]) {
			if k, ok := s.index(r); ok {
				if v.def != nil {
					v.def(n, k)
				}
				now.Add(k)
			}
		}
	}
}

// onEdges calls do for each register to be reloaded on the edge from p to b.
func (s *split) onEdge(p, b *mach.Block, do func(k mach.Reg)) {
	missing := s.newSet()
	for n := range missing {
		missing[n] = s.in[b.Index][n] & s.liveIn[b.Index][n] &^ s.out[p.Index][n]
	}
	for k := range missing.All {
		do(k)
	}
}

// settle computes the bill.
func (s *split) settle(post []*mach.Block) {
	n := len(s.regs)
	pool := make([]float64, 4*n)
	s.bill = bill{pool[:n], pool[n : 2*n], pool[2*n : 3*n], pool[3*n:], s.newSet()}
	for _, b := range post {
		w := weight(b)
		now := s.newSet()
		now.Copy(s.in[b.Index])
		s.walk(b, now, visitor{
			reload: func(_ int, k mach.Reg) { s.bill.loads[k] += w },
			hit:    func(k mach.Reg) { s.bill.hits[k]++ },
			def:    func(_ int, k mach.Reg) { s.bill.storesDefs[k] += w },
		})
		for _, t := range b.Succs {
			s.onEdge(b, t, func(k mach.Reg) { s.bill.loads[k] += edgeWeight(b, t) })
		}
	}
	saved := s.findSaved(post)
	for _, b := range post {
		s.walkSaved(b, saved, func(int, mach.Reg) {}, true)
	}
}

// findSaved computes, for stores before calls, whether memory is up to date at
// the end of each block.
func (s *split) findSaved(post []*mach.Block) []set {
	saved := make([]set, len(s.in))
	for n := range saved {
		saved[n] = s.fullSet()
	}
	for changed := true; changed; {
		changed = false
		for n := len(post) - 1; n >= 0; n-- {
			b := post[n]
			now := s.walkSaved(b, saved, nil, false)
			changed = replace(saved[b.Index], now) || changed
		}
	}
	return saved
}

// walkSaved runs through b with what is saved in memory; store is called for
// each k that must be stored before instruction n, a call. With bill, it settles
// the cost of that and finds out where it doesn't work.
func (s *split) walkSaved(b *mach.Block, saved []set, store func(n int, k mach.Reg), bill bool) set {
	mem := s.fullSet()
	if b.Index == 0 {
		clear(mem)
	}
	for _, p := range b.Preds {
		for n, w := range saved[p.Index] {
			mem[n] &= w
		}
	}
	needSaved := func(k mach.Reg) {
		if bill && !mem.Has(k) {
			s.bill.stale.Add(k)
		}
	}
	now := s.newSet()
	now.Copy(s.in[b.Index])
	s.walk(b, now, visitor{
		reload: func(_ int, k mach.Reg) { needSaved(k) },
		def:    func(_ int, k mach.Reg) { mem.Remove(k) },
		call: func(n int, across set) {
			for k := range across.All {
				if mem.Has(k) {
					continue
				}
				mem.Add(k)
				if bill {
					s.bill.storeCall[k] += weight(b)
				} else if store != nil {
					store(n, k)
				}
			}
		},
	})
	for _, t := range b.Succs {
		s.onEdge(b, t, needSaved)
	}
	return mem
}

// beforeCalls reports whether k is better stored before calls than behind
// definitions.
func (s *split) beforeCalls(k mach.Reg) bool {
	return !s.bill.stale.Has(k) && s.bill.storeCall[k] < s.bill.storesDefs[k]
}

// cost is what cutting regs[n] costs.
func (s *split) cost(n int) float64 {
	k := mach.Reg(n)
	if s.a.info[s.regs[n]].remat != nil {
		c := s.bill.loads[n] * s.a.reloadSize(s.regs[n])
		if s.bill.hits[n] == 0 {
			c -= s.bill.storesDefs[n] * s.a.reloadSize(s.regs[n])
		}
		return c
	}
	if s.beforeCalls(k) {
		return s.bill.loads[n] + s.bill.storeCall[n]
	}
	return s.bill.loads[n] + s.bill.storesDefs[n]
}
