package subset

import (
	"go/token"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// program is what go/ssa shows of everything that is reached: functions in the
// order they are called, instances of generic functions each by itself.
type program struct {
	c     *checker
	state map[*ssa.Function]walkState
	path  []*ssa.Function // being walked, each called by the one before
	// done lists functions after all that they call.
	done []*ssa.Function
}

type walkState uint8

const (
	unseen walkState = iota
	onPath
	walked
)

// wholeProgram applies the rules that need to see calls through.
func (c *checker) wholeProgram() {
	p := &program{c: c, state: make(map[*ssa.Function]walkState)}
	for _, prog := range c.pkg.Programs {
		p.walk(prog.Func)
	}
	for _, fn := range c.pkg.Roots {
		p.walk(fn)
	}
	constants := make(map[*ssa.Global]bool)
	for _, g := range c.pkg.Globals {
		constants[g.Var] = g.Const
	}
	for _, fn := range p.done {
		c.checkConstStores(fn, constants)
		c.checkFuncVariables(fn)
	}
	if len(c.list) == 0 { // addresses are followed through calls, which must not recur
		c.checkEscapes(p.done)
	}
}

func (c *checker) refuse(pos token.Pos, code, format string, args ...any) {
	c.list.Add(c.pkg.Fset.Position(pos), code, Rules.WayOut(code), format, args...)
}

func (p *program) walk(fn *ssa.Function) {
	p.state[fn] = onPath
	p.path = append(p.path, fn)
	for _, b := range fn.Blocks {
		for _, in := range b.Instrs {
			for _, callee := range functionsIn(in) {
				p.call(in, callee)
			}
		}
	}
	p.path = p.path[:len(p.path)-1]
	p.state[fn] = walked
	p.done = append(p.done, fn)
}

// functionsIn returns the functions that an instruction calls or makes a value
// of, which is called later.
func functionsIn(in ssa.Instruction) []*ssa.Function {
	var fns []*ssa.Function
	for _, op := range in.Operands(nil) {
		if fn, ok := (*op).(*ssa.Function); ok {
			fns = append(fns, fn)
		}
	}
	return fns
}

func (p *program) call(call ssa.Instruction, callee *ssa.Function) {
	switch {
	case p.c.pkg.LoweringOf(callee) != nil:
	case callee.Blocks == nil:
		p.c.refuse(call.Pos(), codeNoBody, "call of %s, which has no body", callee.Name())
	case p.state[callee] == onPath:
		p.c.refuse(call.Pos(), codeRecursion, "recursive call: %s", p.cycle(callee))
	case p.state[callee] == unseen:
		p.walk(callee)
	}
}

// cycle prints the calls that lead from fn back to fn.
func (p *program) cycle(fn *ssa.Function) string {
	var names []string
	for i := len(p.path) - 1; i >= 0; i-- {
		names = append([]string{p.path[i].Name()}, names...)
		if p.path[i] == fn {
			break
		}
	}
	return strings.Join(append(names, fn.Name()), " -> ")
}

// checkConstStores refuses writes to variables in read-only memory.
func (c *checker) checkConstStores(fn *ssa.Function, constants map[*ssa.Global]bool) {
	for _, b := range fn.Blocks {
		for _, in := range b.Instrs {
			store, ok := in.(*ssa.Store)
			if !ok {
				continue
			}
			if g := baseGlobal(store.Addr); g != nil && constants[g] {
				c.refuse(store.Pos(), codeConstStore, "assignment to %s, which is //bpf:const", g.Name())
			}
		}
	}
}

// baseGlobal returns the variable that an address lies in; nil if it is not
// plainly one.
func baseGlobal(addr ssa.Value) *ssa.Global {
	for {
		switch x := addr.(type) {
		case *ssa.Global:
			return x
		case *ssa.FieldAddr:
			addr = x.X
		case *ssa.IndexAddr:
			addr = x.X
		default:
			return nil
		}
	}
}
