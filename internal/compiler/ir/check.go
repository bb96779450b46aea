package ir

import "fmt"

// Check verifies the invariants of f: edges and phis agree, operands are
// defined on every path to their use, types fit. It returns the first
// violation, which is always a bug in the compiler.
func (f *Func) Check() error {
	c := checker{
		f: f, slots: map[*Slot]bool{},
		blocks: make([]*Block, f.nextBlock), values: make([]*Value, f.nextValue), index: make([]int, f.nextValue),
	}
	if err := c.structure(); err != nil {
		return fmt.Errorf("ir check %s: %w\n%s", f.Name, err, f)
	}
	c.dom = f.Dominators()
	for _, b := range c.dom.RPO {
		if err := c.uses(b); err != nil {
			return fmt.Errorf("ir check %s: %s: %w\n%s", f.Name, b, err, f)
		}
	}
	return nil
}

type checker struct {
	f      *Func
	dom    *DomTree
	slots  map[*Slot]bool
	blocks []*Block // by ID
	values []*Value // by ID
	index  []int    // of a value in its block, by ID
}

// structure checks what each block and value says of itself.
func (c *checker) structure() error {
	if len(c.f.Blocks) == 0 {
		return fmt.Errorf("no blocks")
	}
	for _, s := range c.f.Slots {
		c.slots[s] = true
	}
	for _, b := range c.f.Blocks {
		if b.ID >= len(c.blocks) || c.blocks[b.ID] != nil {
			return fmt.Errorf("%s: the number is taken or was never given out", b)
		}
		c.blocks[b.ID] = b
	}
	if len(c.f.Blocks[0].Preds) != 0 {
		return fmt.Errorf("entry has predecessors")
	}
	for _, b := range c.f.Blocks {
		if err := c.edges(b); err != nil {
			return err
		}
		for i, v := range b.Values {
			if err := c.value(b, i, v); err != nil {
				return fmt.Errorf("%s: %w", v.LongString(), err)
			}
		}
	}
	return nil
}

// edges checks that both ends of every edge know it, parallel ones included.
func (c *checker) edges(b *Block) error {
	if want := termSuccs(b.Term); len(b.Succs) != want {
		return fmt.Errorf("%s: %d successors, want %d", b, len(b.Succs), want)
	}
	for _, s := range b.Succs {
		if c.blocks[s.ID] != s || count(s.Preds, b) != count(b.Succs, s) {
			return fmt.Errorf("edge %s -> %s is one-sided", b, s)
		}
	}
	for _, p := range b.Preds {
		if c.blocks[p.ID] != p {
			return fmt.Errorf("%s: predecessor %s is not listed", b, p)
		}
		if count(p.Succs, b) == 0 {
			return fmt.Errorf("predecessor %s does not lead to %s", p, b)
		}
	}
	return nil
}

func count(list []*Block, b *Block) int {
	n := 0
	for _, x := range list {
		if x == b {
			n++
		}
	}
	return n
}

func termSuccs(t TermKind) int {
	switch t {
	case TermJump:
		return 1
	case TermIf:
		return 2
	case TermRet, TermFault:
		return 0
	}
	return -1
}

func (c *checker) value(b *Block, i int, v *Value) error {
	if v.Block != b {
		return fmt.Errorf("is listed in %s but belongs to %s", b, v.Block)
	}
	switch {
	case v.ID >= len(c.values):
		return fmt.Errorf("the number was never given out")
	case c.values[v.ID] == v:
		return fmt.Errorf("is listed twice")
	case c.values[v.ID] != nil:
		return fmt.Errorf("the number is that of %s", c.values[v.ID].LongString())
	}
	c.values[v.ID], c.index[v.ID] = v, i
	if v.Op == OpPhi {
		if len(v.Args) != len(b.Preds) {
			return fmt.Errorf("%d operands for %d predecessors", len(v.Args), len(b.Preds))
		}
		if i > 0 && b.Values[i-1].Op != OpPhi {
			return fmt.Errorf("phi after other values")
		}
	}
	if v.Op == OpSpent && (v != b.Control || i != len(b.Values)-1) {
		return fmt.Errorf("does not end its block")
	}
	if n := opTable[v.Op].nargs; n >= 0 && len(v.Args) != n {
		return fmt.Errorf("%d operands, want %d", len(v.Args), n)
	}
	for _, a := range v.Args {
		if a == nil {
			return fmt.Errorf("nil operand")
		}
	}
	if s, ok := v.Aux.(*Slot); ok && !c.slots[s] {
		return fmt.Errorf("slot is not listed")
	}
	if check := typeChecks[v.Op]; check != nil {
		return check(v)
	}
	return nil
}

// typeChecks says what types the operands of an operation must have.
var typeChecks = map[Op]func(v *Value) error{
	OpAdd: sameTypes, OpSub: sameTypes, OpMul: sameTypes,
	OpUDiv: sameTypes, OpUMod: sameTypes, OpSDiv: sameTypes, OpSMod: sameTypes,
	OpAnd: sameTypes, OpOr: sameTypes, OpXor: sameTypes,
	OpShl: sameTypes, OpLShr: sameTypes, OpAShr: sameTypes, OpNeg: sameTypes, OpBswap: sameTypes,
	OpEq: compares, OpNe: compares, OpULt: compares, OpULe: compares, OpSLt: compares, OpSLe: compares,
	OpZext: widens, OpSext: widens, OpTrunc: narrows,
	OpPhi: joins, OpCopy: joins,
	OpPtrAdd: pointerPlus, OpPtrDiff: pointers,
	OpLoad: addressed, OpVolatile: addressed, OpCtxPtr: addressed, OpStore: addressed, OpZero: addressed, OpAtomic: addressed,
	OpMove: pointers, OpHelper: helperCall, OpResult: resultOf,
}

// operands is the error for operands of the wrong types.
func operands(v *Value) error {
	types := make([]Type, len(v.Args))
	for i, a := range v.Args {
		types[i] = a.Type
	}
	return fmt.Errorf("operands %v", types)
}

func sameTypes(v *Value) error {
	for _, a := range v.Args {
		if !v.Type.IsInt() || a.Type != v.Type {
			return operands(v)
		}
	}
	return nil
}

func compares(v *Value) error {
	if v.Type != I8 && v.Type != I32 || v.Args[0].Type != v.Args[1].Type {
		return operands(v)
	}
	return nil
}

func widens(v *Value) error {
	if t := v.Args[0].Type; !t.IsInt() || !v.Type.IsInt() || t.Size() >= v.Type.Size() {
		return operands(v)
	}
	return nil
}

func narrows(v *Value) error {
	if t := v.Args[0].Type; !t.IsInt() || !v.Type.IsInt() || t.Size() <= v.Type.Size() {
		return operands(v)
	}
	return nil
}

func joins(v *Value) error {
	for i, a := range v.Args {
		if a.Type != v.Type {
			return fmt.Errorf("operand %d is %s", i, a.Type)
		}
	}
	return nil
}

func pointerPlus(v *Value) error {
	if v.Type != Ptr || v.Args[0].Type != Ptr || v.Args[1].Type != I64 {
		return operands(v)
	}
	return nil
}

func pointers(v *Value) error {
	if v.Args[0].Type != Ptr || v.Args[1].Type != Ptr {
		return operands(v)
	}
	return nil
}

func addressed(v *Value) error {
	if len(v.Args) == 0 || v.Args[0].Type != Ptr {
		return operands(v)
	}
	return nil
}

func helperCall(v *Value) error {
	if len(v.Args) > 5 {
		return fmt.Errorf("%d arguments", len(v.Args))
	}
	if _, ok := v.Aux.(*HelperCall); !ok {
		return fmt.Errorf("no HelperCall")
	}
	return nil
}

func resultOf(v *Value) error {
	if v.Args[0].Op != OpCall {
		return fmt.Errorf("operand is not a call")
	}
	return nil
}

// uses checks that what b's values and its terminator use is defined there.
func (c *checker) uses(b *Block) error {
	for i, v := range b.Values {
		for k, a := range v.Args {
			at, pos := b, i
			if v.Op == OpPhi {
				at, pos = b.Preds[k], len(b.Preds[k].Values)
				if !c.dom.Reachable(at) {
					continue
				}
			}
			if err := c.defined(a, at, pos); err != nil {
				return fmt.Errorf("%s: %w", v.LongString(), err)
			}
		}
	}
	if b.Control != nil {
		if err := c.defined(b.Control, b, len(b.Values)); err != nil {
			return fmt.Errorf("control: %w", err)
		}
	}
	if b.Term == TermIf && b.Control == nil {
		return fmt.Errorf("branch without control")
	}
	for _, r := range b.Rets {
		if err := c.defined(r, b, len(b.Values)); err != nil {
			return fmt.Errorf("return: %w", err)
		}
	}
	return nil
}

func (c *checker) defined(v *Value, at *Block, pos int) error {
	switch {
	case v.ID >= len(c.values) || c.values[v.ID] != v:
		return fmt.Errorf("operand %s is in no block", v.LongString())
	case v.Block == at && c.index[v.ID] >= pos:
		return fmt.Errorf("operand %s comes later", v)
	case v.Block != at && !c.dom.Dominates(v.Block, at):
		return fmt.Errorf("operand %s does not dominate", v)
	}
	return nil
}
