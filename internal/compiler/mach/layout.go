package mach

import (
	"fmt"
	"go/token"
	"math"
)

// Layout finishes f, whose registers must be physical, and returns it as a flat
// list: it simplifies the graph, merges equal ends, orders the blocks (cold ones
// last), turns conditions around where the other way follows, adds the jumps
// that are left, expands [LEA] and resolves jump offsets. f is used up.
//
// A jump that does not fit in 16 bits is an error; so is, in the kernel, any
// program that would need one.
func (f *Func) Layout() (*Code, error) {
	f.Simplify()
	f.Peephole()
	f.MergeTails()
	f.order()
	f.endAtExits()
	l := layout{start: make(map[*Block]int, len(f.Blocks))}
	for n, b := range f.Blocks {
		var next *Block
		if n+1 < len(f.Blocks) {
			next = f.Blocks[n+1]
		}
		l.place(b, next)
	}
	if err := l.resolve(); err != nil {
		name := "?"
		if f.IR != nil {
			name = f.IR.Name
		}
		return nil, fmt.Errorf("lay out function %s: %w", name, err)
	}
	return &Code{Func: f.IR, Insns: l.out}, nil
}

// endAtExits puts an exit where a jump to a block with nothing but an exit would
// be needed: it takes the same space and no time.
func (f *Func) endAtExits() {
	for n, b := range f.Blocks {
		if len(b.Succs) != 1 || n+1 < len(f.Blocks) && f.Blocks[n+1] == b.Succs[0] {
			continue
		}
		if s := b.Succs[0]; len(s.Insns) == 1 && s.Insns[0].Op == EXIT {
			b.Insns = append(b.Insns, s.Insns[0])
			b.Succs = nil
		}
	}
	f.dropUnreachable()
}

// layout collects the instructions and remembers what is still to be resolved.
type layout struct {
	out   []Insn
	slots int
	start map[*Block]int // first slot of each block
	jumps []jump
}

// jump is an instruction whose offset is still missing.
type jump struct {
	insn, slot int
	to         *Block
}

func (l *layout) emit(i Insn) {
	l.out = append(l.out, i)
	l.slots += i.Slots()
}

// emitJump adds a jump to b.
func (l *layout) emitJump(i Insn, b *Block) {
	l.jumps = append(l.jumps, jump{len(l.out), l.slots, b})
	l.emit(i)
}

// place adds b, with next to follow.
func (l *layout) place(b, next *Block) {
	l.start[b] = l.slots
	for _, i := range b.Insns {
		switch {
		case i.Op == LEA:
			l.emitLEA(i)
		case i.IsCondJump():
			l.emitBranch(i, b, next)
			return
		case i.Op == EXIT && next != nil && len(next.Insns) > 0 && next.Insns[0].Op == EXIT:
			return // the next block's will do
		default:
			l.emit(i)
		}
	}
	if len(b.Succs) == 1 && (b.Succs[0] != next || b.goesBack) {
		l.emitJump(Insn{Op: JA, Pos: b.lastPos()}, b.Succs[0])
	}
}

// lastPos returns the source position at the end of b.
func (b *Block) lastPos() token.Pos {
	for n := len(b.Insns) - 1; n >= 0; n-- {
		if p := b.Insns[n].Pos; p.IsValid() {
			return p
		}
	}
	return token.NoPos
}

func (l *layout) emitBranch(i Insn, b, next *Block) {
	jumped, follows := b.Succs[0], b.Succs[1]
	if jumped == next {
		if op, ok := i.Op.Inverse(); ok {
			i.Op = op
			jumped, follows = follows, jumped
		}
	}
	l.emitJump(i, jumped)
	if follows != next {
		l.emitJump(Insn{Op: JA, Pos: i.Pos}, follows)
	}
}

func (l *layout) emitLEA(i Insn) {
	l.emit(Insn{Op: Opcode(ClassALU64) | Mov | SrcReg, Dst: i.Dst, Src: R10, Pos: i.Pos})
	if i.Imm != 0 {
		l.emit(Insn{Op: Opcode(ClassALU64) | Add, Dst: i.Dst, Imm: i.Imm, Pos: i.Pos})
	}
}

// resolve fills in the offsets of the jumps.
func (l *layout) resolve() error {
	for _, j := range l.jumps {
		off := l.start[j.to] - j.slot - 1
		if off < math.MinInt16 || off > math.MaxInt16 {
			return fmt.Errorf("jump over %d instructions: function too long", off)
		}
		l.out[j.insn].Off = int16(off)
	}
	return nil
}

var inverses = map[Opcode]Opcode{
	Jeq: Jne, Jne: Jeq,
	Jgt: Jle, Jle: Jgt, Jge: Jlt, Jlt: Jge,
	Jsgt: Jsle, Jsle: Jsgt, Jsge: Jslt, Jslt: Jsge,
}

// Inverse returns the conditional jump that is taken exactly when op is not;
// jset has none.
func (op Opcode) Inverse() (Opcode, bool) {
	inv, ok := inverses[op&0xf0]
	return op&0x0f | inv, ok
}
