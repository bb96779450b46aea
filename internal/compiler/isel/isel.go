package isel

import (
	"fmt"
	"go/token"
	"math"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
	"github.com/waggle-bpf/waggle/internal/compiler/mach"
)

// Select translates f, whose frame has been laid out to frameSize bytes.
func Select(f *ir.Func, frameSize int64) *mach.Func {
	splitCriticalEdges(f)
	s := &selector{
		f: f, out: &mach.Func{IR: f, FrameSize: frameSize},
		regs: map[*ir.Value]mach.Reg{}, first: map[*ir.Block]*mach.Block{}, last: map[*ir.Block]*mach.Block{},
	}
	s.depth = f.LoopDepths(f.Dominators())
	s.countUses()
	for _, b := range f.Blocks {
		s.first[b] = s.newBlock(b)
	}
	for _, b := range f.Blocks {
		s.block(b)
	}
	s.link()
	return s.out
}

type selector struct {
	f     *ir.Func
	out   *mach.Func
	regs  map[*ir.Value]mach.Reg
	first map[*ir.Block]*mach.Block // where an IR block starts
	last  map[*ir.Block]*mach.Block // where it ends
	depth []int
	uses  []int // uses that need the value in a register, by ID
	cur   *mach.Block
	pos   token.Pos
	// addrs caches addresses of globals within a block.
	addrs map[*ir.Global]mach.Reg
}

func (s *selector) newBlock(b *ir.Block) *mach.Block {
	mb := &mach.Block{ID: len(s.out.Blocks), Depth: s.depth[b.ID], Cold: isCold(b)}
	s.out.Blocks = append(s.out.Blocks, mb)
	return mb
}

// isCold reports whether b lies on the way to a fault.
func isCold(b *ir.Block) bool {
	for _, p := range b.Preds {
		if p.Term != ir.TermIf || p.Likely == 0 {
			return false
		}
		likely := p.Succs[0]
		if p.Likely < 0 {
			likely = p.Succs[1]
		}
		if likely == b {
			return false
		}
	}
	return len(b.Preds) > 0
}

// splitCriticalEdges puts a block on every edge from a branch to a block with
// phis and several predecessors, so that the phi's moves have a place.
func splitCriticalEdges(f *ir.Func) {
	for _, b := range append([]*ir.Block{}, f.Blocks...) {
		if b.Term != ir.TermIf {
			continue
		}
		for k, t := range b.Succs {
			if len(t.Preds) == 1 || len(t.Phis()) == 0 {
				continue
			}
			mid := f.NewBlock()
			mid.Term, mid.Succs, mid.Preds, mid.Pos = ir.TermJump, []*ir.Block{t}, []*ir.Block{b}, b.Pos
			t.Preds[edgeIndex(b, k)] = mid
			b.Succs[k] = mid
		}
	}
}

// edgeIndex returns which predecessor of its successor the k-th edge of b is,
// counting parallel edges in order.
func edgeIndex(b *ir.Block, k int) int {
	t, skip := b.Succs[k], 0
	for i := range k {
		if b.Succs[i] == t {
			skip++
		}
	}
	for i, p := range t.Preds {
		if p == b {
			if skip == 0 {
				return i
			}
			skip--
		}
	}
	panic("BUG: edge without predecessor entry")
}

// countUses counts the uses of each value that no instruction folds.
func (s *selector) countUses() {
	s.uses = make([]int, s.f.NumValues())
	for _, b := range s.f.Blocks {
		for _, v := range b.Values {
			for i, a := range v.Args {
				if !folds(v, i, a) {
					s.uses[a.ID]++
				}
			}
		}
		if b.Term == ir.TermIf && !b.Control.Op.IsCompare() {
			s.uses[b.Control.ID]++
		}
		for _, r := range b.Rets {
			s.uses[r.ID]++
		}
	}
	// A comparison that only branches use keeps its operands alive there.
	for _, b := range s.f.Blocks {
		if b.Term == ir.TermIf && b.Control.Op.IsCompare() {
			for i, a := range b.Control.Args {
				if !folds(b.Control, i, a) {
					s.uses[a.ID]++
				}
			}
		}
	}
}

// folds reports whether v takes operand i, a, into its instruction.
func folds(v *ir.Value, i int, a *ir.Value) bool {
	switch {
	case a.Op == ir.OpConst || a.Op == ir.OpSlotAddr || a.Op == ir.OpGlobalAddr || a.Op == ir.OpMapAddr || a.Op == ir.OpFuncAddr:
		return true // made where they are used
	}
	return false
}

func (s *selector) block(b *ir.Block) {
	s.cur = s.first[b]
	s.addrs = map[*ir.Global]mach.Reg{}
	if b == s.f.Entry() {
		s.params()
	}
	for _, v := range b.Values {
		if v.Pos.IsValid() {
			s.pos = v.Pos
		}
		s.value(v)
	}
	if b.Pos.IsValid() {
		s.pos = b.Pos
	}
	s.terminator(b)
	s.last[b] = s.cur
}

// params moves the arguments out of R1 to R5 before anything clobbers them.
func (s *selector) params() {
	s.pos = s.f.Pos
	for i, p := range s.f.Params {
		if s.used(p) {
			s.move(s.reg(p), mach.R1+mach.Reg(i))
		}
	}
}

func (s *selector) used(v *ir.Value) bool { return s.uses[v.ID] > 0 }

// terminator ends the block; its successors are linked once all blocks exist.
func (s *selector) terminator(b *ir.Block) {
	switch b.Term {
	case ir.TermJump:
		s.phiMoves(b)
	case ir.TermIf:
		s.branch(b)
	case ir.TermRet:
		if len(b.Rets) > 0 {
			s.moveTo(mach.R0, b.Rets[0])
		} else {
			s.emit(mach.Insn{Op: movImm(ir.I64), Dst: mach.R0})
		}
		s.emit(mach.Insn{Op: mach.EXIT})
	default:
		panic(fmt.Sprintf("BUG: terminator %d in selection", b.Term))
	}
}

// link connects the blocks: the IR's edges leave from where a block ended.
func (s *selector) link() {
	for _, b := range s.f.Blocks {
		for _, t := range b.Succs {
			addEdge(s.last[b], s.first[t])
		}
	}
}

func addEdge(from, to *mach.Block) {
	from.Succs = append(from.Succs, to)
	to.Preds = append(to.Preds, from)
}

func (s *selector) emit(i mach.Insn) {
	i.Pos = s.pos
	s.cur.Insns = append(s.cur.Insns, i)
}

// reg returns the virtual register that holds v.
func (s *selector) reg(v *ir.Value) mach.Reg {
	r, ok := s.regs[v]
	if !ok {
		r = s.out.NewReg()
		s.regs[v] = r
	}
	return r
}

// use returns a register that holds v here, making values that are cheaper to
// make again than to keep.
func (s *selector) use(v *ir.Value) mach.Reg {
	switch v.Op {
	case ir.OpConst, ir.OpSlotAddr, ir.OpMapAddr, ir.OpFuncAddr:
		r := s.out.NewReg()
		s.moveTo(r, v)
		return r
	case ir.OpGlobalAddr:
		r := s.globalBase(v.Aux.(*ir.Global))
		if v.Int != 0 {
			d := s.out.NewReg()
			s.move(d, r)
			s.emit(mach.Insn{Op: aluImm(mach.Add, ir.I64), Dst: d, Imm: v.Int})
			return d
		}
		return r
	}
	return s.reg(v)
}

// globalBase returns a register with the address of a global.
func (s *selector) globalBase(g *ir.Global) mach.Reg {
	r, ok := s.addrs[g]
	if !ok {
		r = s.out.NewReg()
		s.emit(mach.Insn{Op: mach.LDIMM64, Dst: r, Sym: g})
		s.addrs[g] = r
	}
	return r
}

// moveTo puts v into register d.
func (s *selector) moveTo(d mach.Reg, v *ir.Value) {
	switch v.Op {
	case ir.OpConst:
		s.loadConst(d, v)
	case ir.OpSlotAddr:
		s.emit(mach.Insn{Op: mach.LEA, Dst: d, Imm: v.Aux.(*ir.Slot).Offset + v.Int})
	case ir.OpMapAddr, ir.OpFuncAddr:
		s.emit(mach.Insn{Op: mach.LDIMM64, Dst: d, Sym: v.Aux})
	case ir.OpGlobalAddr:
		s.emit(mach.Insn{Op: mach.LDIMM64, Dst: d, Sym: v.Aux, Imm: v.Int})
	default:
		s.move(d, s.reg(v))
	}
}

func (s *selector) loadConst(d mach.Reg, v *ir.Value) {
	n := v.Int
	switch {
	case v.Type == ir.I32:
		s.emit(mach.Insn{Op: movImm(ir.I32), Dst: d, Imm: int64(int32(n))})
	case fitsImm(n):
		s.emit(mach.Insn{Op: movImm(ir.I64), Dst: d, Imm: n})
	case uint64(n) <= math.MaxUint32:
		s.emit(mach.Insn{Op: movImm(ir.I32), Dst: d, Imm: int64(int32(n))})
	default:
		s.emit(mach.Insn{Op: mach.LDIMM64, Dst: d, Imm: n})
	}
}

func (s *selector) move(d, from mach.Reg) {
	if d != from {
		s.emit(mach.Insn{Op: movReg(ir.I64), Dst: d, Src: from})
	}
}

func fitsImm(n int64) bool { return n == int64(int32(n)) }

func fitsOff(n int64) bool { return n == int64(int16(n)) }

func classOf(t ir.Type) mach.Opcode {
	if t == ir.I32 {
		return mach.Opcode(mach.ClassALU)
	}
	return mach.Opcode(mach.ClassALU64)
}

func aluImm(op mach.Opcode, t ir.Type) mach.Opcode { return op | classOf(t) }
func aluReg(op mach.Opcode, t ir.Type) mach.Opcode { return op | mach.SrcReg | classOf(t) }
func movImm(t ir.Type) mach.Opcode                 { return aluImm(mach.Mov, t) }
func movReg(t ir.Type) mach.Opcode                 { return aluReg(mach.Mov, t) }
