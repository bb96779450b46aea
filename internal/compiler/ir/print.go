package ir

import (
	"fmt"
	"io"
	"strings"
)

// String returns the short name of v, as operands show it.
func (v *Value) String() string {
	if v == nil {
		return "nil"
	}
	if v.Op == OpConst {
		return fmt.Sprintf("%d", v.Int)
	}
	return fmt.Sprintf("v%d", v.ID)
}

// LongString returns the whole operation.
func (v *Value) LongString() string {
	var sb strings.Builder
	if v.Type != Void {
		fmt.Fprintf(&sb, "v%d = ", v.ID)
	}
	sb.WriteString(v.Op.String())
	if v.Type != Void {
		sb.WriteString("." + v.Type.String())
	}
	switch a := v.Aux.(type) {
	case nil:
	case *Slot:
		fmt.Fprintf(&sb, " %s", a)
	case *Global:
		fmt.Fprintf(&sb, " %s", a.Name)
	case *Map:
		fmt.Fprintf(&sb, " %s", a.Name)
	case *Func:
		fmt.Fprintf(&sb, " %s", a.Name)
	case *HelperCall:
		fmt.Fprintf(&sb, " %s", a.Name)
	default:
		fmt.Fprintf(&sb, " %v", a)
	}
	for i, a := range v.Args {
		sep := ", "
		if i == 0 {
			sep = " "
		}
		sb.WriteString(sep + a.String())
	}
	if v.Int != 0 || v.Op == OpConst || v.Op == OpParam {
		fmt.Fprintf(&sb, " [%d]", v.Int)
	}
	return sb.String()
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
	fmt.Fprintf(&sb, "func %s -> %v\n", f.Name, f.Results)
	for _, s := range f.Slots {
		fmt.Fprintf(&sb, "  %s align %d at %d\n", s, s.Align, s.Offset)
	}
	for _, b := range f.Blocks {
		fmt.Fprintf(&sb, "%s:", b)
		if len(b.Preds) > 0 {
			fmt.Fprintf(&sb, " <- %v", b.Preds)
		}
		sb.WriteByte('\n')
		line := 0
		for _, v := range b.Values {
			fmt.Fprintf(&sb, "  %s%s\n", v.LongString(), f.lineComment(v, &line))
		}
		sb.WriteString("  " + b.termString() + "\n")
	}
	return sb.String()
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
		return fmt.Sprintf("if %s: %s else %s", b.Control, b.Succs[0], b.Succs[1])
	case TermRet:
		return fmt.Sprintf("ret %v", b.Rets)
	case TermFault:
		return fmt.Sprintf("fault %d", b.Fault)
	}
	return "(no terminator)"
}
