package pass

import "github.com/waggle-bpf/waggle/internal/compiler/ir"

// ssaBuilder keeps the current value of each of a set of variables while the
// blocks of a function are visited in reverse postorder.
type ssaBuilder struct {
	f     *ir.Func
	types []ir.Type
	order []*ir.Block
	defs  map[*ir.Block][]*ir.Value
	done  map[*ir.Block]bool // left: its definitions are final
	open  map[*ir.Block]map[int]*ir.Value
	repl  map[*ir.Value]*ir.Value
	phis  map[*ir.Block][]*ir.Value
	undef map[ir.Type]*ir.Value
}

func newSSABuilder(f *ir.Func, types []ir.Type) *ssaBuilder {
	b := &ssaBuilder{
		f: f, types: types, defs: map[*ir.Block][]*ir.Value{}, done: map[*ir.Block]bool{},
		open: map[*ir.Block]map[int]*ir.Value{}, repl: map[*ir.Value]*ir.Value{},
		phis: map[*ir.Block][]*ir.Value{}, undef: map[ir.Type]*ir.Value{},
	}
	po := f.Postorder()
	for i := len(po) - 1; i >= 0; i-- {
		b.order = append(b.order, po[i])
	}
	for _, x := range b.order {
		b.defs[x] = make([]*ir.Value, len(types))
	}
	return b
}

// leave gives b its rewritten values and seals its definitions.
func (s *ssaBuilder) leave(b *ir.Block, values []*ir.Value) {
	b.Values = values
	s.done[b] = true
}

func (s *ssaBuilder) write(b *ir.Block, v int, x *ir.Value) { s.defs[b][v] = x }

// replace notes that every use of old becomes new.
func (s *ssaBuilder) replace(old, new *ir.Value) {
	if old != new {
		s.repl[old] = new
	}
}

// read returns the value of variable v at the current point of b.
func (s *ssaBuilder) read(b *ir.Block, v int) *ir.Value {
	if x := s.defs[b][v]; x != nil {
		return x
	}
	var x *ir.Value
	switch {
	case len(b.Preds) == 0:
		x = s.undefined(s.types[v])
	case len(b.Preds) == 1 && s.done[b.Preds[0]]:
		x = s.read(b.Preds[0], v)
	default:
		x = b.NewValue(ir.OpPhi, s.types[v], b.Pos)
		s.phis[b] = append(s.phis[b], x)
		if s.open[b] == nil {
			s.open[b] = map[int]*ir.Value{}
		}
		s.open[b][v] = x
	}
	s.defs[b][v] = x
	return x
}

// undefined returns a zero at the entry: Go variables are cleared before use,
// so this is only read on paths that don't exist at run time.
func (s *ssaBuilder) undefined(t ir.Type) *ir.Value {
	if s.undef[t] == nil {
		e := s.f.Entry()
		s.undef[t] = e.NewValue(ir.OpConst, t, e.Pos)
	}
	return s.undef[t]
}

// finish fills in the operands of the phis, which may ask for more phis.
func (s *ssaBuilder) finish() {
	for again := true; again; {
		again = false
		for _, b := range s.order {
			for v := range s.types {
				phi := s.open[b][v]
				if phi == nil {
					continue
				}
				delete(s.open[b], v)
				again = true
				for _, p := range b.Preds {
					phi.Args = append(phi.Args, s.read(p, v))
				}
			}
		}
	}
	for _, b := range s.order {
		b.Values = append(append([]*ir.Value{}, s.phis[b]...), b.Values...)
	}
	e := s.f.Entry()
	for t := ir.I8; t <= ir.Ptr; t++ {
		if u := s.undef[t]; u != nil {
			e.Values = append([]*ir.Value{u}, e.Values...)
		}
	}
	s.f.ReplaceUses(s.repl)
}
