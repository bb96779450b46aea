package regalloc

import (
	"fmt"
	"slices"

	"github.com/waggle-bpf/waggle/internal/compiler/mach"
)

// Stats says what allocation did to a function.
type Stats struct {
	Rounds    int // colourings until one fitted
	Coalesced int // moves removed because both sides got the same register
	Moves     int // moves left
	Slots     int // 8-byte stack slots for spilled registers
	Stores    int // instructions that spill
	Loads     int // instructions that reload
}

// StackError reports that a function needs more stack than the kernel gives.
type StackError struct {
	Func  string
	Size  int64 // bytes needed
	Spill int64 // of which for spilled registers
}

func (e *StackError) Error() string {
	return fmt.Sprintf("stack overflow: function %s needs %d bytes of stack, %d of them for spilled registers; the kernel allows %d",
		e.Func, e.Size, e.Spill, mach.MaxFrame)
}

// Allocate replaces the virtual registers of f by physical ones. It may replace
// f.Blocks and their contents, and adds spill slots to f.FrameSize. If the frame
// then exceeds [mach.MaxFrame] the error is a [*StackError].
//
// The result depends on nothing but f.
func Allocate(f *mach.Func) (Stats, error) {
	prepare(f)
	best := attempt(f, strategies[0])
	for _, s := range strategies[1:] {
		if !best.worthAnother() {
			break
		}
		if a := attempt(f, s); a.price() < best.price() {
			best = a
		}
	}
	f.Blocks, f.NextReg = best.f.Blocks, 0
	spill := best.f.FrameSize - f.FrameSize
	f.FrameSize = best.f.FrameSize
	if f.FrameSize > mach.MaxFrame {
		return best.stats, &StackError{Func: name(f), Size: f.FrameSize, Spill: spill}
	}
	return best.stats, nil
}

// attempt allocates a copy of f.
func attempt(f *mach.Func, s strategy) *allocator {
	a := newAllocator(clone(f), s)
	a.run()
	return a
}

// long is the number of instructions above which a result that fits the frame is
// not tried to be improved, to save time: it gains about half a percent.
const long = 1000

// worthAnother reports whether another strategy may do better than a.
func (a *allocator) worthAnother() bool {
	return a.spilled && (a.insns() <= long || a.f.FrameSize > mach.MaxFrame)
}

// insns counts instructions.
func (a *allocator) insns() int {
	n := 0
	for _, b := range a.f.Blocks {
		n += len(b.Insns)
	}
	return n
}

func name(f *mach.Func) string {
	if f.IR == nil {
		return "?"
	}
	return f.IR.Name
}

// clone copies f deeply enough for an attempt at allocation.
func clone(f *mach.Func) *mach.Func {
	g := *f
	f.Number()
	g.Blocks = make([]*mach.Block, len(f.Blocks))
	for n, b := range f.Blocks {
		c := *b
		c.Insns = slices.Clone(b.Insns)
		g.Blocks[n] = &c
	}
	image := func(bs []*mach.Block) []*mach.Block {
		out := make([]*mach.Block, len(bs))
		for n, b := range bs {
			out[n] = g.Blocks[b.Index]
		}
		return out
	}
	for n, b := range f.Blocks {
		g.Blocks[n].Succs, g.Blocks[n].Preds = image(b.Succs), image(b.Preds)
	}
	return &g
}

// level says into how small pieces a live range has been cut.
type level uint8

const (
	whole       level = iota
	moved             // goes on in another register at calls
	betweenCall       // does not live across calls
	withinBlock
	singleUse // can't be spilled any more
)

// home is the place in memory of a spilled live range. A spilling store or
// load carries it as Sym until the frame is laid out.
type home struct{ id int }

// regInfo is what is known about a virtual register besides the code.
type regInfo struct {
	level level
	home  *home
	// remat computes the register's only value; nil if that can't be done
	// again anywhere.
	remat *mach.Insn
}

type allocator struct {
	f        *mach.Func
	strategy strategy
	info     []regInfo // by register
	homes    int
	spilled  bool
	stats    Stats
}

func newAllocator(f *mach.Func, s strategy) *allocator {
	a := &allocator{f: f, strategy: s}
	a.grow()
	a.findRemats()
	return a
}

// grow makes room in info for new registers.
func (a *allocator) grow() {
	for len(a.info) < int(a.f.Limit()) {
		a.info = append(a.info, regInfo{})
	}
}

// newReg makes a register for a piece of r.
func (a *allocator) newReg(r mach.Reg, l level) mach.Reg {
	n := a.f.NewReg()
	a.grow()
	a.info[n] = a.info[r]
	a.info[n].level = l
	return n
}

func (a *allocator) newHome() *home {
	a.homes++
	return &home{id: a.homes - 1}
}

// maxRounds is far above what is ever needed: each round cuts live ranges to
// smaller pieces, and there are only five sizes.
const maxRounds = 100

// run allocates.
func (a *allocator) run() {
	for a.stats.Rounds < maxRounds {
		a.stats.Rounds++
		live := a.f.Liveness()
		g := build(a.f, live)
		g.costs, g.metric = func() []float64 { return a.costs(live) }, a.strategy.metric
		g.run()
		if len(g.spilled) == 0 {
			a.assign(g)
			a.placeHomes()
			a.count()
			return
		}
		a.spilled = true
		a.spill(g)
	}
	panic("BUG: register allocation does not end: " + name(a.f))
}

// assign writes the colours into the code and removes moves to the same
// register.
func (a *allocator) assign(g *graph) {
	for _, b := range a.f.Blocks {
		kept := b.Insns[:0]
		for _, i := range b.Insns {
			if i.HasDst() {
				i.Dst = g.colourOf(i.Dst)
			}
			if i.HasSrc() {
				i.Src = g.colourOf(i.Src)
			}
			if i.IsMove() && i.Dst == i.Src {
				a.stats.Coalesced++
				continue
			}
			kept = append(kept, i)
		}
		b.Insns = kept
	}
	a.f.NextReg = 0
}

// price is what the code costs, by which attempts are compared. One that doesn't
// fit the frame is worse than any that does.
func (a *allocator) price() float64 {
	p := float64(a.f.FrameSize) / 1e6
	if a.f.FrameSize > mach.MaxFrame {
		p += 1e12
	}
	for _, b := range a.f.Blocks {
		for n := range b.Insns {
			p += weight(b) * size(&b.Insns[n])
		}
	}
	return p
}

// weight estimates how often b runs.
func weight(b *mach.Block) float64 {
	if b.Cold {
		return 1.0 / 64
	}
	w := 1.0
	for range min(b.Depth, 6) {
		w *= 8
	}
	return w
}

// size is the number of slots i takes in the end.
func size(i *mach.Insn) float64 {
	if i.Op == mach.LDIMM64 || i.Op == mach.LEA && i.Imm != 0 {
		return 2
	}
	return 1
}

// count fills in the statistics of the finished code.
func (a *allocator) count() {
	for _, b := range a.f.Blocks {
		for n := range b.Insns {
			if b.Insns[n].IsMove() {
				a.stats.Moves++
			}
		}
	}
}
