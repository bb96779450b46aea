package machtest

import (
	"math/rand/v2"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
	"github.com/waggle-bpf/waggle/internal/compiler/mach"
)

// Shape says what random functions look like.
type Shape struct {
	Vars  int // variables that live through the whole function
	Stmts int // number of statements, nested ones included, roughly
	Calls int // one of so many statements is a call; 0 for none
	Depth int // how deep loops and branches nest
	// Kernel makes functions that the kernel runs as syscall programs and that
	// do the same each time: no maps, no atomics but on the stack, results of
	// calls unused.
	Kernel bool
}

// Ctx is the size of the memory that R1 of a random function points to.
const Ctx = 64

// Random makes a function that ends, reads no register it has not written and
// stays inside its frame and the Ctx bytes at R1. It is written the way
// instruction selection writes: variables that are assigned more than once
// stand for phis, calls move their arguments to R1 to R5, two-address
// operations are preceded by a move. All it computes ends in R0, in memory or in
// an argument of a call.
func Random(rng *rand.Rand, s Shape) *mach.Func {
	g := &generator{rng: rng, shape: s, left: s.Stmts, f: &mach.Func{FrameSize: 32}}
	g.start(g.newBlock())
	g.ctx = g.f.NewReg()
	g.move(g.ctx, mach.R1)
	for range s.Vars {
		v := g.f.NewReg()
		g.imm(v, int64(rng.Uint32N(1000)))
		g.vars = append(g.vars, v)
	}
	for n := range int16(4) {
		g.add(mach.Insn{Op: stx(mach.SizeDW), Dst: mach.R10, Src: g.variable(), Off: -8 * (n + 1)})
	}
	for g.left > 0 {
		g.stmt(s.Depth)
	}
	g.end()
	return g.f
}

var testMap = &ir.Map{Name: "m"}

type generator struct {
	rng   *rand.Rand
	shape Shape
	left  int // statements
	f     *mach.Func
	cur   *mach.Block
	ctx   mach.Reg
	vars  []mach.Reg
	temps []mach.Reg // values of the current straight run
	depth int        // of loops
	cold  bool
}

func (g *generator) newBlock() *mach.Block {
	return &mach.Block{Depth: g.depth, Cold: g.cold}
}

// start puts b next into the function.
func (g *generator) start(b *mach.Block) {
	b.ID = len(g.f.Blocks)
	g.f.Blocks = append(g.f.Blocks, b)
	g.cur = b
	g.temps = nil
}

func (g *generator) add(i mach.Insn) { g.cur.Insns = append(g.cur.Insns, i) }

func alu(op mach.Opcode) mach.Opcode { return mach.Opcode(mach.ClassALU64) | op }

func stx(size mach.Opcode) mach.Opcode { return mach.Opcode(mach.ClassSTX) | mach.ModeMEM | size }

func ldx(size mach.Opcode) mach.Opcode { return mach.Opcode(mach.ClassLDX) | mach.ModeMEM | size }

func (g *generator) move(dst, src mach.Reg) {
	g.add(mach.Insn{Op: alu(mach.Mov | mach.SrcReg), Dst: dst, Src: src})
}

func (g *generator) imm(dst mach.Reg, v int64) {
	g.add(mach.Insn{Op: alu(mach.Mov), Dst: dst, Imm: v})
}

func (g *generator) variable() mach.Reg { return g.vars[g.rng.IntN(len(g.vars))] }

// value returns something to read.
func (g *generator) value() mach.Reg {
	if n := len(g.temps); n > 0 && g.rng.IntN(2) == 0 {
		return g.temps[g.rng.IntN(n)]
	}
	return g.variable()
}

// temp makes a register that is assigned once.
func (g *generator) temp() mach.Reg {
	r := g.f.NewReg()
	g.temps = append(g.temps, r)
	return r
}

func (g *generator) stmt(depth int) {
	g.left--
	switch n := g.rng.IntN(12); {
	case g.shape.Calls > 0 && g.rng.IntN(g.shape.Calls) == 0:
		g.call()
	case n < 4:
		g.binary()
	case n < 6:
		g.move(g.variable(), g.value())
	case n == 6:
		g.load()
	case n == 7:
		g.store()
	case n == 8:
		g.constant()
	case n == 9:
		g.atomic()
	case depth == 0:
		g.binary()
	case n == 10:
		g.branch(depth)
	case n == 11 && g.depth < 3:
		g.loop(depth)
	}
}

// binary emits `mov d, a; op d, b`, wide or narrow.
func (g *generator) binary() {
	ops := []mach.Opcode{mach.Add, mach.Sub, mach.Xor, mach.Or, mach.Mul, mach.Add, mach.And}
	op := ops[g.rng.IntN(len(ops))]
	a, b := g.value(), g.value()
	d := g.temp()
	g.move(d, a)
	i := mach.Insn{Op: alu(op | mach.SrcReg), Dst: d, Src: b}
	switch g.rng.IntN(4) {
	case 0:
		i.Op = mach.Opcode(mach.ClassALU) | op | mach.SrcReg
	case 1:
		i = mach.Insn{Op: alu(op), Dst: d, Imm: int64(g.rng.Int32N(100))}
	}
	g.add(i)
	if g.rng.IntN(2) == 0 {
		g.move(g.variable(), d)
	}
}

func (g *generator) load() {
	if g.rng.IntN(2) == 0 {
		g.add(mach.Insn{Op: ldx(mach.SizeW), Dst: g.temp(), Src: g.ctx, Off: int16(4 * g.rng.IntN(Ctx/4))})
		return
	}
	p := g.f.NewReg()
	g.add(mach.Insn{Op: mach.LEA, Dst: p, Imm: -32})
	g.add(mach.Insn{Op: ldx(mach.SizeDW), Dst: g.temp(), Src: p, Off: int16(8 * g.rng.IntN(4))})
}

func (g *generator) store() {
	v := g.value()
	if g.rng.IntN(2) == 0 {
		g.add(mach.Insn{Op: stx(mach.SizeDW), Dst: g.ctx, Src: v, Off: int16(8 * g.rng.IntN(Ctx/8))})
		return
	}
	g.add(mach.Insn{Op: stx(mach.SizeDW), Dst: mach.R10, Src: v, Off: int16(-8 * (1 + g.rng.IntN(4)))})
}

func (g *generator) constant() {
	i := mach.Insn{Op: alu(mach.Mov), Dst: g.temp(), Imm: int64(g.rng.Int32())}
	switch n := g.rng.IntN(3); {
	case n == 0:
		i.Op, i.Imm = mach.LDIMM64, int64(g.rng.Uint64())
	case n == 1 && !g.shape.Kernel:
		i.Op, i.Imm, i.Sym = mach.LDIMM64, 0, testMap
	}
	g.add(i)
}

func (g *generator) atomic() {
	off := int16(8 * g.rng.IntN(Ctx/8))
	i := mach.Insn{Op: stx(mach.SizeDW)&^0xe0 | mach.ModeATOMIC, Dst: g.ctx, Off: off, Imm: int64(mach.Add)}
	if g.shape.Kernel {
		i.Dst, i.Off = mach.R10, -8-off%32
	}
	switch g.rng.IntN(3) {
	case 0:
		i.Src = g.value()
		g.add(i)
	case 1:
		v := g.value()
		d := g.temp()
		g.move(d, v)
		i.Src, i.Imm = d, i.Imm|mach.AtomicFetch
		g.add(i)
	case 2:
		g.move(mach.R0, g.value())
		i.Src, i.Imm = g.value(), 0xf1
		g.add(i)
		g.move(g.temp(), mach.R0)
	}
}

// getSMPProcessorID is a helper that the kernel lets every program call and that
// ignores its arguments.
const getSMPProcessorID = 8

func (g *generator) call() {
	n := 1 + g.rng.IntN(5)
	for k := range n {
		r := mach.R1 + mach.Reg(k)
		switch g.rng.IntN(4) {
		case 0:
			g.add(mach.Insn{Op: mach.LEA, Dst: r, Imm: -16})
		case 1:
			g.imm(r, int64(k))
		default:
			g.move(r, g.value())
		}
	}
	id := int64(n)
	if g.shape.Kernel {
		id = getSMPProcessorID
	}
	g.add(mach.Insn{Op: mach.CALL, Imm: id, NArgs: uint8(n)})
	d := g.temp()
	if g.shape.Kernel {
		g.imm(d, id)
	} else {
		g.move(d, mach.R0)
	}
	if g.rng.IntN(2) == 0 {
		g.move(g.variable(), d)
	}
}

// compare ends the current block with a conditional jump.
func (g *generator) compare(to, next *mach.Block) {
	ops := []mach.Opcode{mach.Jeq, mach.Jne, mach.Jgt, mach.Jsle, mach.Jset}
	op := ops[g.rng.IntN(len(ops))] | mach.Opcode(mach.ClassJMP)
	i := mach.Insn{Op: op, Dst: g.value(), Imm: int64(g.rng.Int32N(2000))}
	if g.rng.IntN(2) == 0 {
		i.Op, i.Src, i.Imm = op|mach.SrcReg, g.value(), 0
	}
	g.add(i)
	link(g.cur, to)
	link(g.cur, next)
}

// branch emits an if, with an else or with a way out of the function.
func (g *generator) branch(depth int) {
	kind := g.rng.IntN(3)
	g.cold = g.cold || kind == 2
	then := g.newBlock()
	g.cold = g.cur.Cold
	join := g.newBlock()
	if kind == 0 {
		els := g.newBlock()
		g.compare(els, then)
		g.body(els, depth-1)
		link(g.cur, join)
	} else {
		g.compare(then, join)
	}
	if kind == 2 {
		wasCold := g.cold
		g.cold = true
		g.body(then, 0)
		g.end()
		g.cold = wasCold
	} else {
		g.body(then, depth-1)
		link(g.cur, join)
	}
	g.start(join)
}

func (g *generator) body(b *mach.Block, depth int) {
	g.start(b)
	for range 1 + g.rng.IntN(4) {
		g.stmt(depth)
	}
}

// loop emits a counted loop, tested at the top or at the bottom.
func (g *generator) loop(depth int) {
	n := g.f.NewReg()
	g.imm(n, int64(1+g.rng.IntN(3)))
	g.depth++
	head := g.newBlock()
	link(g.cur, head)
	g.start(head)
	if g.rng.IntN(2) == 0 {
		g.stmt(0)
		body := g.newBlock()
		g.depth--
		exit := g.newBlock()
		g.depth++
		g.add(mach.Insn{Op: mach.Opcode(mach.ClassJMP) | mach.Jeq, Dst: n})
		link(g.cur, exit)
		link(g.cur, body)
		g.body(body, depth-1)
		g.add(mach.Insn{Op: alu(mach.Sub), Dst: n, Imm: 1})
		link(g.cur, head)
		g.depth--
		g.start(exit)
		return
	}
	for range 1 + g.rng.IntN(4) {
		g.stmt(depth - 1)
	}
	g.add(mach.Insn{Op: alu(mach.Sub), Dst: n, Imm: 1})
	g.add(mach.Insn{Op: mach.Opcode(mach.ClassJMP) | mach.Jne, Dst: n})
	g.depth--
	exit := g.newBlock()
	link(g.cur, head)
	link(g.cur, exit)
	g.start(exit)
}

// end returns a value that depends on all variables.
func (g *generator) end() {
	sum := g.f.NewReg()
	g.imm(sum, 0)
	for _, v := range g.vars {
		g.add(mach.Insn{Op: alu(mach.Mul), Dst: sum, Imm: 31})
		g.add(mach.Insn{Op: alu(mach.Add | mach.SrcReg), Dst: sum, Src: v})
	}
	g.move(mach.R0, sum)
	g.add(mach.Insn{Op: mach.EXIT})
}
