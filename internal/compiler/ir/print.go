package ir

import (
	"fmt"
	"io"
	"strings"
)

// The text of a function is what [Parse] reads. Constants are written where they
// are used and have no line of their own; their type is written only where the
// operation does not tell it. Lines of source follow a semicolon.

// String returns the short name of v, as operands show it.
func (v *Value) String() string {
	switch {
	case v == nil:
		return "nil"
	case v.Op == OpConst:
		return fmt.Sprintf("%d", v.Int)
	}
	return fmt.Sprintf("v%d", v.ID)
}

// LongString returns the whole operation.
func (v *Value) LongString() string {
	var sb strings.Builder
	if v.Type != Void || v.Op == OpCall { // results refer to a call
		fmt.Fprintf(&sb, "v%d = ", v.ID)
	}
	sb.WriteString(v.Op.String())
	if v.Type != Void {
		sb.WriteString("." + v.Type.String())
	}
	if word := v.auxString(); word != "" {
		sb.WriteString(" " + word)
	}
	for i := range v.Args {
		sep := ", "
		if i == 0 {
			sep = " "
		}
		sb.WriteString(sep + v.operand(i))
	}
	if v.Int != 0 || v.Op == OpConst || v.Op == OpParam {
		fmt.Fprintf(&sb, " [%d]", v.Int)
	}
	if h, ok := v.Aux.(*HelperCall); ok {
		sb.WriteString(h.attributes())
	}
	return sb.String()
}

// auxString is the word that stands for v's symbol.
func (v *Value) auxString() string {
	switch a := v.Aux.(type) {
	case nil:
		return ""
	case *Slot:
		return fmt.Sprintf("slot%d", a.ID)
	case *Global:
		return a.Name
	case *Map:
		return a.Name
	case *Func:
		return a.Name
	case *HelperCall:
		return a.Name
	default:
		return fmt.Sprint(a)
	}
}

// operand is operand i of v: the type of a constant is given where Parse could
// not tell it.
func (v *Value) operand(i int) string {
	a := v.Args[i]
	if a != nil && a.Op == OpConst && a.Type != operandType(v.Op, v.Type, i, v.sibling(i)) {
		return a.typed()
	}
	return a.String()
}

// typed is constant v with its type.
func (v *Value) typed() string { return fmt.Sprintf("%d:%s", v.Int, v.Type) }

// sibling returns the type of the operand that a comparison compares operand i
// with, if that one is no constant.
func (v *Value) sibling(i int) Type {
	if v.Op.IsCompare() && len(v.Args) == 2 && v.Args[1-i].Op != OpConst {
		return v.Args[1-i].Type
	}
	return Void
}

// operandType is the type that operand i of an operation of type t has, as far as
// the operation tells: sibling is the type of what it is compared with.
func operandType(op Op, t Type, i int, sibling Type) Type {
	switch {
	case op.IsCompare():
		return sibling
	case op == OpPtrAdd && i == 1, op == OpHelper, op == OpIntToPtr:
		return I64
	case op == OpZext, op == OpSext, op == OpTrunc, op == OpPtrDiff, op == OpPtrToInt, op == OpStore, op == OpCall:
		return Void
	case op == OpAtomic && i == 0, op == OpMove, op == OpLoad, op == OpVolatile, op == OpZero, op == OpTailCall && i < 2:
		return Ptr
	}
	return t
}

// attributes lists what is not the default.
func (h *HelperCall) attributes() string {
	var words []string
	flag := func(on bool, word string) {
		if on {
			words = append(words, word)
		}
	}
	flag(h.Pure, "pure")
	flag(h.InvalidatesPackets, "invalidates")
	flag(h.Acquires, fmt.Sprintf("acquires=%d", h.ReleaseHelper))
	flag(h.Releases != 0, fmt.Sprintf("releases=%d", h.Releases))
	flag(h.Lock != 0, fmt.Sprintf("lock=%d", h.Lock))
	flag(h.Reads != [5]int64{}, "reads="+sizes(h.Reads))
	flag(h.Writes != [5]int64{}, "writes="+sizes(h.Writes))
	flag(h.Fills != [5]int64{}, "fills="+sizes(h.Fills))
	if len(words) == 0 {
		return ""
	}
	return " {" + strings.Join(words, " ") + "}"
}

func sizes(list [5]int64) string {
	s := strings.Trim(fmt.Sprint(list), "[]")
	return strings.ReplaceAll(s, " ", ",")
}

func (s *Slot) String() string { return fmt.Sprintf("slot%d(%s:%d)", s.ID, s.Name, s.Size) }

func (b *Block) String() string { return fmt.Sprintf("b%d", b.ID) }

// WriteTo prints f, with source lines where they change.
func (f *Func) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, f.String())
	return int64(n), err
}

func (f *Func) String() string {
	var sb strings.Builder
	sb.WriteString(f.header())
	for _, s := range f.Slots {
		fmt.Fprintf(&sb, "  slot%d %q size %d align %d at %d\n", s.ID, s.Name, s.Size, s.Align, s.Offset)
	}
	for _, b := range f.Blocks {
		fmt.Fprintf(&sb, "%s:", b)
		if len(b.Preds) > 0 {
			fmt.Fprintf(&sb, " <- %v", b.Preds)
		}
		sb.WriteByte('\n')
		line := 0
		for _, v := range b.Values {
			if v.Op != OpConst {
				fmt.Fprintf(&sb, "  %s%s\n", v.LongString(), f.lineComment(v, &line))
			}
		}
		sb.WriteString("  " + b.termString() + "\n")
	}
	return sb.String()
}

func (f *Func) header() string {
	kind, attributes := "func", ""
	if f.Prog != nil {
		kind, attributes = "prog", fmt.Sprintf(" verdict %d", f.Prog.Verdict)
	}
	if f.NoInline {
		attributes += " noinline"
	}
	if f.MustInline {
		attributes += " mustinline"
	}
	for i, yes := range f.NotNil {
		if yes {
			attributes += fmt.Sprintf(" notnil=%d", i)
		}
	}
	return fmt.Sprintf("%s %s -> %v%s\n", kind, f.Name, f.Results, attributes)
}

func (f *Func) lineComment(v *Value, last *int) string {
	if f.Module == nil || f.Module.Fset == nil || !v.Pos.IsValid() {
		return ""
	}
	line := f.Module.Fset.Position(v.Pos).Line
	if line == *last {
		return ""
	}
	*last = line
	return fmt.Sprintf("\t; line %d", line)
}

func (b *Block) termString() string {
	switch b.Term {
	case TermJump:
		return fmt.Sprintf("jump %s", b.Succs[0])
	case TermIf:
		return fmt.Sprintf("if %s: %s else %s%s", b.controlString(), b.Succs[0], b.Succs[1], likelyWords[b.Likely])
	case TermRet:
		words := make([]string, len(b.Rets))
		for i, r := range b.Rets {
			words[i] = b.returned(i, r)
		}
		return fmt.Sprintf("ret %v", words)
	case TermFault:
		return fmt.Sprintf("fault %d", b.Fault)
	}
	return "(no terminator)"
}

var likelyWords = map[int8]string{+1: " likely", -1: " unlikely"}

func (b *Block) controlString() string {
	if b.Control != nil && b.Control.Op == OpConst && b.Control.Type != I8 {
		return b.Control.typed()
	}
	return b.Control.String()
}

// returned is result i of b's return. It may differ in type from the function's:
// pass abi returns a flag.
func (b *Block) returned(i int, r *Value) string {
	if r.Op == OpConst && (i >= len(b.Func.Results) || b.Func.Results[i] != r.Type) {
		return r.typed()
	}
	return r.String()
}

// String returns the text of the whole module that [Parse] reads.
func (m *Module) String() string {
	var sb strings.Builder
	for _, x := range m.Maps {
		fmt.Fprintf(&sb, "map %s kind %d key %d value %d entries %d\n", x.Name, x.Kind, x.KeySize, x.ValueSize, x.MaxEntries)
	}
	for _, g := range m.Globals {
		fmt.Fprintf(&sb, "global %s size %d align %d in %s\n", g.Name, g.Size, g.Align, g.Section)
	}
	for _, f := range m.Funcs {
		sb.WriteString(f.String())
	}
	return sb.String()
}
