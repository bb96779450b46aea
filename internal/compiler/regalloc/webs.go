package regalloc

import "github.com/waggle-bpf/waggle/internal/compiler/mach"

// This file splits registers that stand for several unrelated values: each web
// (a maximal set of definitions and uses that reach each other; Muchnick, 16.3.3)
// gets a register of its own.

// webs is a union-find forest over live-in registers of blocks and definitions.
type webs struct {
	parent []int
	reg    []mach.Reg // the register each element belongs to
}

func (w *webs) add(r mach.Reg) int {
	w.parent = append(w.parent, len(w.parent))
	w.reg = append(w.reg, r)
	return len(w.parent) - 1
}

func (w *webs) find(n int) int {
	for w.parent[n] != n {
		w.parent[n] = w.parent[w.parent[n]]
		n = w.parent[n]
	}
	return n
}

func (w *webs) union(a, b int) {
	a, b = w.find(a), w.find(b)
	w.parent[max(a, b)] = min(a, b)
}

// renumberer holds what one run of renumber needs.
type renumberer struct {
	webs
	f       *mach.Func
	live    *mach.Liveness
	want    func(r mach.Reg) bool
	in      []map[mach.Reg]int // by Block.Index: elements of live-in registers
	cur     []int              // by register: element at this point, -1 for none
	operand []int              // elements of Dst and Src of all instructions, in order
}

// renumber gives webs of virtual registers for which want holds (nil: all) new
// registers; the first web of a register keeps its name. It returns, for each new
// register, the old one.
func renumber(f *mach.Func, want func(r mach.Reg) bool) map[mach.Reg]mach.Reg {
	many := make([]int, f.Limit())
	var buf [8]mach.Reg
	for _, b := range f.Blocks {
		for n := range b.Insns {
			for _, r := range b.Insns[n].AppendDefs(buf[:0]) {
				many[r]++
			}
		}
	}
	rn := &renumberer{f: f, live: f.Liveness(), cur: make([]int, f.Limit())}
	rn.want = func(r mach.Reg) bool {
		return r.IsVirtual() && many[r] > 1 && (want == nil || want(r))
	}
	rn.in = make([]map[mach.Reg]int, len(f.Blocks))
	for n := range f.Blocks {
		rn.in[n] = make(map[mach.Reg]int)
		for r := range rn.live.In[n].All {
			if rn.want(r) {
				rn.in[n][r] = rn.add(r)
			}
		}
	}
	for _, b := range f.Blocks {
		rn.walk(b)
	}
	return rn.rename()
}

// walk finds the element of each operand in b and joins b's elements with those
// of its successors.
func (rn *renumberer) walk(b *mach.Block) {
	for r, e := range rn.in[b.Index] {
		rn.cur[r] = e
	}
	var buf [8]mach.Reg
	for n := range b.Insns {
		i := &b.Insns[n]
		dst, src := -1, -1
		if i.HasSrc() && rn.want(i.Src) {
			src = rn.cur[i.Src]
		}
		if i.HasDst() && rn.want(i.Dst) && i.ReadsDst() {
			dst = rn.cur[i.Dst]
		}
		for _, d := range i.AppendDefs(buf[:0]) {
			// A register that is read and written is one web: the
			// instruction has one field for both.
			if rn.want(d) && !(d == i.Dst && dst >= 0) && !(d == i.Src && d != i.Dst) {
				dst = rn.add(d)
				rn.cur[d] = dst
			}
		}
		rn.operand = append(rn.operand, dst, src)
	}
	for _, s := range b.Succs {
		for r, e := range rn.in[s.Index] {
			rn.union(rn.cur[r], e)
		}
	}
}

// rename writes the new registers into the code.
func (rn *renumberer) rename() map[mach.Reg]mach.Reg {
	name := make([]mach.Reg, len(rn.parent))
	taken := make([]bool, rn.f.Limit())
	from := make(map[mach.Reg]mach.Reg)
	pick := func(e int) mach.Reg {
		e = rn.find(e)
		if name[e] == 0 {
			if r := rn.reg[e]; !taken[r] {
				taken[r] = true
				name[e] = r
			} else {
				name[e] = rn.f.NewReg()
				from[name[e]] = r
			}
		}
		return name[e]
	}
	ops := rn.operand
	for _, b := range rn.f.Blocks {
		for n := range b.Insns {
			i := &b.Insns[n]
			if ops[0] >= 0 {
				i.Dst = pick(ops[0])
			}
			if ops[1] >= 0 {
				i.Src = pick(ops[1])
			}
			ops = ops[2:]
		}
	}
	return from
}
