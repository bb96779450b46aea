package ir

import (
	"go/token"
	"go/types"
)

// Func is one function: a program, or a subprogram that programs call.
type Func struct {
	Name     string // C identifier, unique in the module
	Module   *Module
	Prog     *Program         // nil for a subprogram
	Sig      *types.Signature // as written, for BTF; nil for made-up functions
	Params   []*Value         // the OpParam values, all in the entry block
	Results  []Type           // flattened; a program has exactly one
	Blocks   []*Block         // Blocks[0] is the entry and has no predecessors
	Slots    []*Slot
	NoInline bool
	// MustInline: the function returns addresses in its own frame, inside a
	// function value.
	MustInline bool
	// Library functions are waggle's own: what users look for is where they
	// call them.
	Library bool
	NotNil  []bool // parameters that no caller passes nil for, once pass calls ran
	// StackAlign tells of each parameter, once pass alignment ran, what
	// alignment the addresses of callers' slots have that it is passed: a
	// number with as many trailing zeros, 0 if it is passed none.
	StackAlign []uint64
	// Context tells which parameters are the program's context, once pass
	// alignment ran.
	Context []bool
	Pos     token.Pos

	nextValue, nextBlock, nextSlot int
}

// Slot is a piece of the stack frame.
type Slot struct {
	ID    int
	Name  string // the Go variable, for diagnostics
	Size  int64
	Align int64
	Pos   token.Pos
	// Offset is relative to the frame pointer and negative once pass frame ran.
	Offset int64
}

// TermKind says how a block ends.
type TermKind uint8

// The terminators.
const (
	TermNone  TermKind = iota
	TermJump           // to Succs[0]
	TermIf             // Control != 0: Succs[0], else Succs[1]
	TermRet            // returns Rets
	TermFault          // leaves the program with fault site Fault
)

// FaultPropagated in Block.Fault marks the way out after a callee faulted: the
// fault was counted there.
const FaultPropagated = -1

// Block is a straight run of values and one terminator.
type Block struct {
	ID      int
	Func    *Func
	Values  []*Value // phis first
	Term    TermKind
	Control *Value   // TermIf
	Rets    []*Value // TermRet
	Fault   int64    // TermFault: index into Module.Faults
	Likely  int8     // TermIf: +1 Succs[0] is the usual way, -1 Succs[1]
	Succs   []*Block
	Preds   []*Block // a phi's Args run parallel to Preds
	Pos     token.Pos
}

// Value is one operation. See the Op constants for the meaning of Int and Aux.
type Value struct {
	ID    int
	Op    Op
	Type  Type
	Args  []*Value
	Int   int64
	Aux   any
	Block *Block
	Pos   token.Pos
	// Bound is 1 plus a proven upper bound of a phi as unsigned number; 0 is
	// unknown. Pass bounds computes it for as long as types stay as they are.
	Bound uint64
	// Limit is a Bound of a loop's counter from the loop's test, which may
	// have become redundant and gone since.
	Limit uint64
}

// NewFunc adds an empty function to m.
func (m *Module) NewFunc(name string, pos token.Pos) *Func {
	f := &Func{Name: name, Module: m, Pos: pos}
	m.Funcs = append(m.Funcs, f)
	return f
}

// Entry returns the block where f starts.
func (f *Func) Entry() *Block { return f.Blocks[0] }

// NewBlock adds an empty block.
func (f *Func) NewBlock() *Block {
	b := &Block{ID: f.nextBlock, Func: f}
	f.nextBlock++
	f.Blocks = append(f.Blocks, b)
	return b
}

// Position returns the place of f in the source; without a line if that isn't
// known.
func (f *Func) Position() token.Position {
	if f.Module == nil || f.Module.Fset == nil {
		return token.Position{}
	}
	return f.Module.Fset.Position(f.Pos)
}

// NewSlot adds a stack slot.
func (f *Func) NewSlot(name string, size, align int64, pos token.Pos) *Slot {
	s := &Slot{ID: f.nextSlot, Name: name, Size: size, Align: align, Pos: pos}
	f.nextSlot++
	f.Slots = append(f.Slots, s)
	return s
}

// NewValue makes a value that belongs to b but is in no list yet.
func (b *Block) NewValue(op Op, t Type, pos token.Pos, args ...*Value) *Value {
	v := &Value{ID: b.Func.nextValue, Op: op, Type: t, Args: args, Block: b, Pos: pos}
	b.Func.nextValue++
	return v
}

// Append makes a value at the end of b.
func (b *Block) Append(op Op, t Type, pos token.Pos, args ...*Value) *Value {
	v := b.NewValue(op, t, pos, args...)
	b.Values = append(b.Values, v)
	return v
}

// NumValues bounds the value IDs of f: every ID is below it.
func (f *Func) NumValues() int { return f.nextValue }

// NumBlocks bounds the block IDs of f.
func (f *Func) NumBlocks() int { return f.nextBlock }

// SetJump ends b with a jump to dst.
func (b *Block) SetJump(dst *Block) {
	b.Term = TermJump
	b.addSucc(dst)
}

// SetIf ends b with a branch on control.
func (b *Block) SetIf(control *Value, then, els *Block, pos token.Pos) {
	b.Term, b.Control, b.Pos = TermIf, control, pos
	b.addSucc(then)
	b.addSucc(els)
}

// SetRet ends b with a return.
func (b *Block) SetRet(pos token.Pos, rets ...*Value) {
	b.Term, b.Rets, b.Pos = TermRet, rets, pos
}

// SetFault ends b with a fault.
func (b *Block) SetFault(kind FaultKind, pos token.Pos) {
	b.Term, b.Pos = TermFault, pos
	b.Fault = b.Func.Module.FaultSite(kind, pos)
}

func (b *Block) addSucc(dst *Block) {
	b.Succs = append(b.Succs, dst)
	dst.Preds = append(dst.Preds, b)
}

// PredIndex returns which of b's predecessors p is; -1 if none.
func (b *Block) PredIndex(p *Block) int {
	for i, q := range b.Preds {
		if q == p {
			return i
		}
	}
	return -1
}

// Phis returns the phis of b.
func (b *Block) Phis() []*Value {
	for i, v := range b.Values {
		if v.Op != OpPhi {
			return b.Values[:i]
		}
	}
	return b.Values
}

// RemovePred drops predecessor i of b, and the phis' operands with it.
func (b *Block) RemovePred(i int) {
	b.Preds = append(b.Preds[:i:i], b.Preds[i+1:]...)
	for _, phi := range b.Phis() {
		phi.Args = append(phi.Args[:i:i], phi.Args[i+1:]...)
	}
}

// RemoveSucc drops successor i of b on both sides.
func (b *Block) RemoveSucc(i int) {
	s := b.Succs[i]
	s.RemovePred(s.PredIndex(b))
	b.Succs = append(b.Succs[:i:i], b.Succs[i+1:]...)
}

// Reset makes v another operation in place.
func (v *Value) Reset(op Op, args ...*Value) {
	v.Op, v.Args, v.Int, v.Aux = op, args, 0, nil
}

// IsContext reports whether v is an address in the context of a program. It knows
// once pass alignment ran.
func (v *Value) IsContext() bool {
	for v.Op == OpPtrAdd || v.Op == OpCopy {
		v = v.Args[0]
	}
	if v.Op != OpParam {
		return false
	}
	known := v.Block.Func.Context
	return v.Int < int64(len(known)) && known[v.Int]
}

// IsConst reports whether v is the constant n.
func (v *Value) IsConst(n int64) bool { return v.Op == OpConst && v.Int == n }
