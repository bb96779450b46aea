package ir

import "fmt"

// Check verifies the invariants of f: edges and phis agree, operands are
// defined on every path to their use, types fit. It returns the first
// violation, which is always a bug in the compiler.
func (f *Func) Check() error {
	c := checker{f: f, block: map[*Value]*Block{}, index: map[*Value]int{}}
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
	f     *Func
	dom   *DomTree
	block map[*Value]*Block
	index map[*Value]int
}

func (c *checker) structure() error {
	listed := map[*Block]bool{}
	for _, b := range c.f.Blocks {
		listed[b] = true
	}
	if len(c.f.Blocks[0].Preds) != 0 {
		return fmt.Errorf("entry has predecessors")
	}
	for _, b := range c.f.Blocks {
		if want := termSuccs(b.Term); len(b.Succs) != want {
			return fmt.Errorf("%s: %d successors, want %d", b, len(b.Succs), want)
		}
		for _, s := range b.Succs {
			if !listed[s] || s.PredIndex(b) < 0 {
				return fmt.Errorf("edge %s -> %s is one-sided", b, s)
			}
		}
		for _, p := range b.Preds {
			if !listed[p] {
				return fmt.Errorf("%s: predecessor %s is not listed", b, p)
			}
		}
		for i, v := range b.Values {
			if err := c.value(b, i, v); err != nil {
				return fmt.Errorf("%s: %w", v.LongString(), err)
			}
		}
	}
	return nil
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
	if c.block[v] != nil {
		return fmt.Errorf("is listed twice")
	}
	c.block[v], c.index[v] = b, i
	if v.Op == OpPhi {
		if len(v.Args) != len(b.Preds) {
			return fmt.Errorf("%d operands for %d predecessors", len(v.Args), len(b.Preds))
		}
		if i > 0 && b.Values[i-1].Op != OpPhi {
			return fmt.Errorf("phi after other values")
		}
	}
	if n := opTable[v.Op].nargs; n >= 0 && len(v.Args) != n {
		return fmt.Errorf("%d operands, want %d", len(v.Args), n)
	}
	return checkTypes(v)
}

func checkTypes(v *Value) error {
	arg := func(i int) Type { return v.Args[i].Type }
	switch v.Op {
	case OpAdd, OpSub, OpMul, OpUDiv, OpUMod, OpSDiv, OpSMod, OpAnd, OpOr, OpXor, OpShl, OpLShr, OpAShr:
		if !v.Type.IsInt() || arg(0) != v.Type || arg(1) != v.Type {
			return fmt.Errorf("operands %s, %s", arg(0), arg(1))
		}
	case OpEq, OpNe, OpULt, OpULe, OpSLt, OpSLe:
		if v.Type != I8 && v.Type != I32 || arg(0) != arg(1) {
			return fmt.Errorf("operands %s, %s", arg(0), arg(1))
		}
	case OpZext, OpSext:
		if arg(0).Size() >= v.Type.Size() {
			return fmt.Errorf("operand %s", arg(0))
		}
	case OpTrunc:
		if arg(0).Size() <= v.Type.Size() {
			return fmt.Errorf("operand %s", arg(0))
		}
	case OpPhi, OpCopy:
		for i := range v.Args {
			if arg(i) != v.Type {
				return fmt.Errorf("operand %d is %s", i, arg(i))
			}
		}
	case OpPtrAdd:
		if v.Type != Ptr || arg(0) != Ptr || arg(1) != I64 {
			return fmt.Errorf("operands %s, %s", arg(0), arg(1))
		}
	case OpLoad, OpVolatile, OpCtxPtr, OpStore, OpZero, OpAtomic:
		if arg(0) != Ptr {
			return fmt.Errorf("address is %s", arg(0))
		}
	case OpHelper:
		if len(v.Args) > 5 {
			return fmt.Errorf("%d arguments", len(v.Args))
		}
		if _, ok := v.Aux.(*HelperCall); !ok {
			return fmt.Errorf("no HelperCall")
		}
	}
	return nil
}

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
	d := c.block[v]
	switch {
	case v == nil:
		return fmt.Errorf("nil operand")
	case d == nil:
		return fmt.Errorf("operand %s is in no block", v.LongString())
	case d == at && c.index[v] >= pos:
		return fmt.Errorf("operand %s comes later", v)
	case d != at && !c.dom.Dominates(d, at):
		return fmt.Errorf("operand %s does not dominate", v)
	}
	return nil
}
