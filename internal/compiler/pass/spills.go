package pass

import (
	"slices"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// hideSpills keeps the verifier from taking a store into an array for a spilled
// register. It does where it knows the address and something of the value. A store
// that is narrower than a word of the stack and a later one, at an address that it
// does not know, into the same word together confuse verifiers such as that of
// Linux 6.1: they refuse to read the word ("invalid size of register fill",
// "invalid read from stack"). Two negations leave a value of which those know
// nothing; they are only made where an array is also written at an address that
// depends on the input.
func hideSpills(m *ir.Module) error {
	s := spillHider{group: map[any]any{}, variable: map[any]bool{}}
	for _, f := range m.Funcs {
		s.collect(f)
	}
	for _, f := range m.Funcs {
		s.hide(f)
	}
	return nil
}

// spillHider puts slots and the parameters that they are passed as into one group.
// Both are keys.
type spillHider struct {
	group    map[any]any  // towards the key that stands for the group
	variable map[any]bool // groups that are written at addresses not known
}

// collect looks for what f writes and passes on.
func (s *spillHider) collect(f *ir.Func) {
	for _, b := range f.Blocks {
		for _, v := range b.Values {
			if v.Op == ir.OpCall {
				s.calls(v)
				continue
			}
			for i, a := range v.Args {
				if a.Type != ir.Ptr {
					continue
				}
				if _, written := touches(v, i); !written || !derefs(v, i) {
					continue
				}
				if keys, variable := stackKeys(a); variable {
					s.vary(keys)
				}
			}
		}
	}
}

// calls joins arguments with parameters. What is passed the middle of an array
// writes where the caller does not know.
func (s *spillHider) calls(call *ir.Value) {
	callee := call.Aux.(*ir.Func)
	for i, a := range call.Args {
		keys, variable := stackKeys(a)
		for _, k := range keys {
			s.group[s.find(k)] = s.find(callee.Params[i])
		}
		if variable {
			s.vary(keys)
		}
	}
}

func (s *spillHider) vary(keys []any) {
	for _, k := range keys {
		s.variable[k] = true
	}
}

// find returns the key that stands for the group of k.
func (s *spillHider) find(k any) any {
	for {
		up, ok := s.group[k]
		if !ok || up == k {
			return k
		}
		k = up
	}
}

// hide rewrites the stores of f.
func (s *spillHider) hide(f *ir.Func) {
	variable := map[any]bool{}
	for k := range s.variable {
		variable[s.find(k)] = true
	}
	if len(variable) == 0 {
		return
	}
	for _, b := range f.Blocks {
		var out []*ir.Value
		for _, v := range b.Values {
			if maySpill(v) {
				keys, _ := stackKeys(v.Args[0])
				if slices.ContainsFunc(keys, func(k any) bool { return variable[s.find(k)] }) {
					out = append(out, hideValue(v)...)
				}
			}
			out = append(out, v)
		}
		b.Values = out
	}
}

// maySpill reports whether v is a store that the verifier may take for a spill of
// part of a register: one of a value in a register at the start of a stack word.
func maySpill(v *ir.Value) bool {
	if v.Op != ir.OpStore || v.Args[1].Op == ir.OpConst || storeType(v).Size() == 8 {
		return false
	}
	p := placeOf(v.Args[0], v.Int, -1)
	return p.root.Op != ir.OpSlotAddr || !p.constant() || p.off%frameAlign == 0
}

// hideValue makes store v store a value of which nothing is known, and returns
// what computes that.
func hideValue(v *ir.Value) []*ir.Value {
	x, width := v.Args[1], storeType(v)
	var out []*ir.Value
	emit := func(op ir.Op) {
		x = v.Block.NewValue(op, ir.I64, v.Pos, x)
		out = append(out, x)
	}
	if x.Type != ir.I64 {
		emit(ir.OpZext)
	}
	emit(ir.OpNeg)
	emit(ir.OpNeg)
	v.Args[1], v.Aux = x, width
	return out
}

// stackKeys returns the slots and parameters that p may point into; variable tells
// whether it points to a place in them that depends on the input.
func stackKeys(p *ir.Value) (keys []any, variable bool) {
	seen := map[*ir.Value]bool{}
	var visit func(*ir.Value)
	visit = func(p *ir.Value) {
		if seen[p] {
			variable = true // a loop that moves it on, at least
			return
		}
		seen[p] = true
		switch p.Op {
		case ir.OpSlotAddr:
			keys = append(keys, p.Aux)
		case ir.OpParam:
			if known := p.Block.Func.StackAlign; p.Int < int64(len(known)) && known[p.Int] != 0 {
				keys = append(keys, p)
			}
		case ir.OpPtrAdd:
			variable = variable || p.Args[1].Op != ir.OpConst
			visit(p.Args[0])
		case ir.OpCopy:
			visit(p.Args[0])
		case ir.OpPhi:
			for _, a := range p.Args {
				visit(a)
			}
		}
	}
	visit(p)
	return keys, variable
}
