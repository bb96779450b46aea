package lower

import (
	"go/types"

	"golang.org/x/tools/go/ssa"
)

// checkEscapes refuses functions that keep the address of a local variable
// longer than the stack slot that stands for it: a function that returns it, or
// a loop that carries it from one round to the next, where Go would make a new
// variable and kernel code has only the one slot.
func (f *fn) checkEscapes() {
	for _, b := range f.src.Blocks {
		for _, in := range b.Instrs {
			alloc, ok := in.(*ssa.Alloc)
			if !ok {
				continue
			}
			e := escape{seen: map[ssa.Value]bool{}, loop: inCycle(b)}
			e.follow(alloc)
			if e.returned != nil {
				f.fail(e.returned.Pos(), "W0516", "return the value itself", "the address of local variable %s is returned", nameOf(alloc))
			}
			if e.kept != nil {
				f.fail(alloc.Pos(), "W0517", "declare it in front of the loop", "the address of variable %s outlives its round of the loop", nameOf(alloc))
			}
		}
	}
}

func nameOf(a *ssa.Alloc) string {
	if a.Comment == "" || a.Comment == "complit" || a.Comment == "new" {
		return "of type " + types.TypeString(a.Type().Underlying().(*types.Pointer).Elem(), func(*types.Package) string { return "" })
	}
	return a.Comment
}

// escape follows an address through a function.
type escape struct {
	seen     map[ssa.Value]bool
	loop     bool // the variable is declared in a loop
	returned ssa.Instruction
	kept     ssa.Instruction
}

func (e *escape) follow(v ssa.Value) {
	if e.seen[v] || v.Referrers() == nil {
		return
	}
	e.seen[v] = true
	for _, r := range *v.Referrers() {
		switch r := r.(type) {
		case *ssa.Return:
			e.returned = r
		case *ssa.Phi:
			if e.loop && inCycle(r.Block()) {
				e.kept = r
			}
			e.follow(r)
		case *ssa.Store:
			if r.Val == v && e.loop && !isVariadic(r) {
				e.kept = r
			}
		case *ssa.FieldAddr, *ssa.IndexAddr, *ssa.Slice, *ssa.ChangeType, *ssa.Convert, *ssa.MakeInterface:
			e.follow(r.(ssa.Value))
		}
	}
}

// isVariadic reports whether a store fills the argument list of a call.
func isVariadic(st *ssa.Store) bool {
	ia, ok := st.Addr.(*ssa.IndexAddr)
	if !ok {
		return false
	}
	a, ok := ia.X.(*ssa.Alloc)
	return ok && a.Comment == "varargs"
}

// inCycle reports whether control can come back to b.
func inCycle(b *ssa.BasicBlock) bool {
	seen := map[*ssa.BasicBlock]bool{}
	work := append([]*ssa.BasicBlock{}, b.Succs...)
	for len(work) > 0 {
		x := work[len(work)-1]
		work = work[:len(work)-1]
		if x == b {
			return true
		}
		if !seen[x] {
			seen[x] = true
			work = append(work, x.Succs...)
		}
	}
	return false
}
