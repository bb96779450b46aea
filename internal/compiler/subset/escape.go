package subset

import (
	"go/token"
	"go/types"

	"golang.org/x/tools/go/ssa"
)

// Where Go would move a variable to the heap, kernel code has none: the stack
// frame is all there is. The address of a variable may go down into calls and
// into other variables of the same frame, but it must not outlive the variable:
// not be returned, not be stored where the caller sees it, and not be kept from
// one iteration of a loop to the next, in which Go would make a new variable.
//
// The analysis is flow-insensitive inside a function: a variable holds whatever
// any store puts there. Functions are looked at after those they call, with a
// summary of where each parameter goes.

// origin is a variable that an address may point into: a *ssa.Alloc of the
// function at hand, or one of its parameters standing for all that it leads to.
type origin interface{ Pos() token.Pos }

type origins map[origin]bool

// summary tells where a function puts the addresses it is given.
type summary struct {
	toResult map[int]bool    // by parameter
	toParam  map[[2]int]bool // from the first parameter into what the second leads to
}

// escapes is the analysis of one function.
type escapes struct {
	c         *checker
	fn        *ssa.Function
	summaries map[*ssa.Function]*summary
	sum       *summary
	holds     map[origin]origins // what variables contain
	values    map[ssa.Value]origins
	changed   bool
	loops     []loop
	reported  map[token.Pos]bool
}

func (c *checker) checkEscapes(fns []*ssa.Function) {
	summaries := make(map[*ssa.Function]*summary)
	for _, fn := range fns {
		e := &escapes{
			c:         c,
			fn:        fn,
			summaries: summaries,
			sum:       &summary{toResult: make(map[int]bool), toParam: make(map[[2]int]bool)},
			holds:     make(map[origin]origins),
			values:    make(map[ssa.Value]origins),
			loops:     findLoops(fn),
			reported:  make(map[token.Pos]bool),
		}
		summaries[fn] = e.sum
		for e.changed = true; e.changed; {
			e.changed = false
			e.eachInstr(e.flow)
		}
		e.eachInstr(e.check)
	}
}

func (e *escapes) eachInstr(f func(ssa.Instruction)) {
	for _, b := range e.fn.Blocks {
		for _, in := range b.Instrs {
			f(in)
		}
	}
}

// flow propagates origins through one instruction.
func (e *escapes) flow(instr ssa.Instruction) {
	switch in := instr.(type) {
	case *ssa.Store:
		e.store(e.of(in.Addr), e.of(in.Val))
	case ssa.CallInstruction:
		sum := e.summaries[in.Common().StaticCallee()]
		if sum == nil {
			return // the library's helpers keep no address
		}
		args := in.Common().Args
		for move := range sum.toParam {
			e.store(e.of(args[move[1]]), e.of(args[move[0]]))
		}
		if v := in.Value(); v != nil {
			for i := range sum.toResult {
				e.add(v, e.of(args[i]))
			}
		}
	case *ssa.UnOp:
		if in.Op == token.MUL {
			for o := range e.of(in.X) {
				e.add(in, e.holds[o])
				if _, param := o.(*ssa.Parameter); param {
					e.add(in, origins{o: true})
				}
			}
		}
	case ssa.Value:
		if carries(in) {
			for _, op := range instr.Operands(nil) {
				if *op != nil {
					e.add(in, e.of(*op))
				}
			}
		}
	}
}

// carries reports whether an instruction's result may hold addresses that its
// operands hold.
func carries(v ssa.Value) bool {
	switch v.(type) {
	case *ssa.FieldAddr, *ssa.IndexAddr, *ssa.Slice, *ssa.ChangeType, *ssa.Convert, *ssa.MultiConvert, *ssa.SliceToArrayPointer,
		*ssa.Phi, *ssa.Field, *ssa.Index, *ssa.Extract, *ssa.MakeInterface, *ssa.ChangeInterface:
		return true
	}
	return false
}

// of returns what v may point into, or hold the address of.
func (e *escapes) of(v ssa.Value) origins {
	switch v := v.(type) {
	case *ssa.Alloc:
		return origins{v: true}
	case *ssa.Parameter:
		if holdsAddress(v.Type()) {
			return origins{v: true}
		}
		return nil
	}
	return e.values[v]
}

func (e *escapes) add(v ssa.Value, from origins) {
	if len(from) == 0 || !holdsAddress(v.Type()) {
		return
	}
	if e.values[v] == nil {
		e.values[v] = make(origins)
	}
	e.merge(e.values[v], from)
}

func (e *escapes) merge(into, from origins) {
	for o := range from {
		if !into[o] {
			into[o] = true
			e.changed = true
		}
	}
}

// store records that memory of dst may hold addresses in val.
func (e *escapes) store(dst, val origins) {
	for d := range dst {
		if p, ok := d.(*ssa.Parameter); ok {
			e.storeToParam(p, val)
			continue
		}
		if len(val) == 0 {
			continue
		}
		if e.holds[d] == nil {
			e.holds[d] = make(origins)
		}
		e.merge(e.holds[d], val)
	}
}

func (e *escapes) storeToParam(p *ssa.Parameter, val origins) {
	for v := range val {
		if from, ok := v.(*ssa.Parameter); ok && from != p {
			move := [2]int{e.paramIndex(from), e.paramIndex(p)}
			if !e.sum.toParam[move] {
				e.sum.toParam[move] = true
				e.changed = true
			}
		}
	}
}

func (e *escapes) paramIndex(p *ssa.Parameter) int {
	for i, q := range e.fn.Params {
		if p == q {
			return i
		}
	}
	panic("BUG: a parameter of another function")
}

// check reports addresses that one instruction lets outlive their variables, and
// completes the summary.
func (e *escapes) check(in ssa.Instruction) {
	switch in := in.(type) {
	case *ssa.Return:
		for _, res := range in.Results {
			for o := range e.of(res) {
				e.returned(in, o)
			}
		}
	case *ssa.Store:
		e.checkStore(in.Pos(), e.of(in.Addr), e.of(in.Val))
	case ssa.CallInstruction:
		if sum := e.summaries[in.Common().StaticCallee()]; sum != nil {
			for move := range sum.toParam {
				e.checkStore(in.Pos(), e.of(in.Common().Args[move[1]]), e.of(in.Common().Args[move[0]]))
			}
		}
	case *ssa.Phi:
		e.checkPhi(in)
	}
}

func (e *escapes) returned(ret *ssa.Return, o origin) {
	switch o := o.(type) {
	case *ssa.Alloc:
		e.refuse(o, ret.Pos(), "is returned")
	case *ssa.Parameter:
		e.sum.toResult[e.paramIndex(o)] = true
	}
}

func (e *escapes) checkStore(pos token.Pos, dst, val origins) {
	for v := range val {
		a, ok := v.(*ssa.Alloc)
		if !ok {
			continue
		}
		for d := range dst {
			switch d := d.(type) {
			case *ssa.Parameter:
				e.refuse(a, pos, "is stored where the caller sees it")
			case *ssa.Alloc:
				if e.inInnerLoop(a.Block(), d.Block()) {
					e.refuse(a, pos, "is kept while the loop makes a new one")
				}
			}
		}
	}
}

// checkPhi looks at addresses that the end of a loop's body carries to its
// start.
func (e *escapes) checkPhi(phi *ssa.Phi) {
	for i, edge := range phi.Edges {
		pred := phi.Block().Preds[i]
		if !phi.Block().Dominates(pred) {
			continue
		}
		if a, ok := edge.(*ssa.Alloc); ok {
			if p, _ := LoopVariable(a); p == phi {
				continue
			}
		}
		for o := range e.of(edge) {
			if a, ok := o.(*ssa.Alloc); ok && phi.Block().Dominates(a.Block()) && e.inInnerLoop(a.Block(), phi.Block().Idom()) {
				e.refuse(a, a.Pos(), "is kept while the loop makes a new one")
			}
		}
	}
}

func (e *escapes) refuse(a *ssa.Alloc, pos token.Pos, what string) {
	if !pos.IsValid() {
		pos = a.Pos()
	}
	if !e.reported[pos] {
		e.reported[pos] = true
		e.c.refuse(pos, codeEscape, "the address of %s %s", describe(a), what)
	}
}

func describe(a *ssa.Alloc) string {
	switch a.Comment {
	case "new", "complit", "slicelit", "makeslice", "varargs", "":
		return "a new " + types.TypeString(a.Type().(*types.Pointer).Elem(), types.RelativeTo(packageOf(a.Parent())))
	}
	return "variable " + a.Comment
}

// packageOf returns the package that declares fn. Instances of generic functions
// are in none themselves.
func packageOf(fn *ssa.Function) *types.Package {
	for fn != nil {
		if fn.Pkg != nil {
			return fn.Pkg.Pkg
		}
		if origin := fn.Origin(); origin != nil {
			fn = origin
		} else {
			fn = fn.Parent()
		}
	}
	return nil
}

// holdsAddress reports whether values of t are or contain addresses.
func holdsAddress(t types.Type) bool {
	switch u := t.Underlying().(type) {
	case *types.Basic:
		return u.Kind() == types.UnsafePointer || u.Info()&types.IsString != 0
	case *types.Array:
		return holdsAddress(u.Elem())
	case *types.Struct:
		for f := range u.Fields() {
			if holdsAddress(f.Type()) {
				return true
			}
		}
		return false
	case *types.Tuple:
		for v := range u.Variables() {
			if holdsAddress(v.Type()) {
				return true
			}
		}
		return false
	}
	return true
}

// loop is a natural loop: its blocks.
type loop map[*ssa.BasicBlock]bool

// findLoops returns the loops of fn, one for each jump back.
func findLoops(fn *ssa.Function) []loop {
	var loops []loop
	for _, b := range fn.Blocks {
		for _, head := range b.Succs {
			if head.Dominates(b) {
				loops = append(loops, loopOf(head, b))
			}
		}
	}
	return loops
}

func loopOf(head, tail *ssa.BasicBlock) loop {
	l := loop{head: true}
	work := []*ssa.BasicBlock{tail}
	for len(work) > 0 {
		b := work[len(work)-1]
		work = work[:len(work)-1]
		if !l[b] {
			l[b] = true
			work = append(work, b.Preds...)
		}
	}
	return l
}

// inInnerLoop reports whether a loop holds a but not b.
func (e *escapes) inInnerLoop(a, b *ssa.BasicBlock) bool {
	for _, l := range e.loops {
		if l[a] && (b == nil || !l[b]) {
			return true
		}
	}
	return false
}
