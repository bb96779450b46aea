package subset

import (
	"go/types"

	"golang.org/x/tools/go/ssa"
)

// checkFuncVariables refuses to use a variable of function type where no function
// may have been assigned to it yet. Such a variable takes no memory: it stands for
// the function that it gets, with what that captured, from there on.
func (c *checker) checkFuncVariables(fn *ssa.Function) {
	for _, b := range fn.Blocks {
		for _, in := range b.Instrs {
			if a, ok := in.(*ssa.Alloc); ok && isFuncVariable(a) {
				c.checkFuncVariable(a)
			}
		}
	}
}

func isFuncVariable(a *ssa.Alloc) bool {
	_, ok := a.Type().Underlying().(*types.Pointer).Elem().Underlying().(*types.Signature)
	return ok
}

func (c *checker) checkFuncVariable(a *ssa.Alloc) {
	var stores []*ssa.Store
	var uses []ssa.Instruction
	for _, r := range *a.Referrers() {
		if st, ok := r.(*ssa.Store); ok && st.Addr == a {
			stores = append(stores, st)
		} else if _, debug := r.(*ssa.DebugRef); !debug {
			uses = append(uses, r)
		}
	}
	for _, use := range uses {
		if assigned(stores, use) {
			continue
		}
		if lit, ok := use.(*ssa.MakeClosure); ok && storesValue(stores, lit) {
			c.refuse(lit.Fn.Pos(), codeRecursion, "recursive call: function literal that is assigned to variable %s, which it uses", a.Comment)
			return
		}
		pos := use.Pos()
		if lit, ok := use.(*ssa.MakeClosure); ok {
			pos = lit.Fn.Pos()
		}
		if !pos.IsValid() {
			pos = a.Pos()
		}
		c.refuse(pos, FuncChoice, "variable %s is used where no function may have been assigned to it", a.Comment)
		return
	}
}

// assigned reports whether one of the stores runs before use in any case.
func assigned(stores []*ssa.Store, use ssa.Instruction) bool {
	for _, st := range stores {
		if st.Block() != use.Block() {
			if st.Block().Dominates(use.Block()) {
				return true
			}
			continue
		}
		for _, in := range st.Block().Instrs {
			if in == use {
				break
			}
			if in == st {
				return true
			}
		}
	}
	return false
}

func storesValue(stores []*ssa.Store, v ssa.Value) bool {
	for _, st := range stores {
		val := st.Val
		if c, ok := val.(*ssa.ChangeType); ok {
			val = c.X
		}
		if val == v {
			return true
		}
	}
	return false
}
