package ir

import (
	"fmt"
	"go/token"
	"slices"
	"strconv"
	"strings"
)

// terminators read the last line of a block.
var terminators = map[string]func(p *parser, b *Block, w *words) error{
	"jump":  (*parser).jump,
	"if":    (*parser).branch,
	"ret":   (*parser).ret,
	"fault": (*parser).fault,
}

func (p *parser) jump(b *Block, w *words) error {
	b.Term = TermJump
	return p.successors(b, w.next())
}

func (p *parser) branch(b *Block, w *words) error {
	b.Term = TermIf
	cond := strings.TrimSuffix(w.next(), ":")
	then, _, els, likely := w.next(), w.next(), w.next(), w.next()
	for n, word := range likelyWords {
		if likely != "" && strings.TrimSpace(word) == likely {
			b.Likely = n
		}
	}
	p.late = append(p.late, func() (err error) {
		b.Control, err = p.operand(b, len(b.Values), cond, I8)
		return err
	})
	return p.successors(b, then, els)
}

func (p *parser) successors(b *Block, names ...string) error {
	p.late = append(p.late, func() error {
		for _, name := range names {
			s, err := p.block(name)
			if err != nil {
				return err
			}
			b.Succs = append(b.Succs, s)
		}
		return nil
	})
	return nil
}

func (p *parser) ret(b *Block, w *words) error {
	b.Term = TermRet
	f := p.f
	list := strings.Fields(strings.Trim(strings.TrimSpace(w.rest), "[]"))
	p.late = append(p.late, func() error {
		for i, word := range list {
			t := Void
			if i < len(f.Results) {
				t = f.Results[i]
			}
			r, err := p.operand(b, len(b.Values), word, t)
			if err != nil {
				return err
			}
			b.Rets = append(b.Rets, r)
		}
		return nil
	})
	return nil
}

func (p *parser) fault(b *Block, w *words) (err error) {
	b.Term = TermFault
	b.Fault, err = strconv.ParseInt(w.next(), 0, 64)
	if b.Fault >= maxNumber {
		return errName(fmt.Sprint(b.Fault))
	}
	for int64(len(p.m.Faults)) <= b.Fault {
		// Sites differ in their position.
		p.m.Faults = append(p.m.Faults, FaultSite{Pos: token.Pos(len(p.m.Faults) + 1)})
	}
	return err
}

// value reads an operation: NAME = OP.TYPE AUX OPERANDS [INT] {ATTRIBUTES}.
func (p *parser) value(line string) error {
	line, attributes, _ := strings.Cut(line, "{")
	name, text, named := strings.Cut(line, " = ")
	if !named {
		name, text = "", line
	}
	w := &words{rest: text}
	opName, typeName, _ := strings.Cut(w.next(), ".")
	op := Op(slices.IndexFunc(opTable[:], func(i opInfo) bool { return i.name == opName }))
	if int(op) >= int(numOps) || op == OpInvalid || op == OpConst {
		return fmt.Errorf("no operation %q", opName)
	}
	t := Void
	if typeName != "" {
		var ok bool
		if t, ok = typeNamed(typeName); !ok {
			return fmt.Errorf("no type %q", typeName)
		}
	}
	v := p.b.Append(op, t, 0)
	if err := p.name(v, name); err != nil {
		return err
	}
	rest := strings.TrimSpace(w.rest)
	if i := strings.LastIndexByte(rest, '['); i >= 0 {
		n, err := strconv.ParseInt(strings.TrimSuffix(rest[i+1:], "]"), 0, 64)
		if err != nil {
			return fmt.Errorf("%s: %w", line, err)
		}
		v.Int, rest = n, strings.TrimSpace(rest[:i])
	}
	if op == OpParam {
		p.f.Params = append(p.f.Params, v)
	}
	rest, err := p.aux(v, rest, strings.Trim(attributes, " }"))
	if err != nil {
		return err
	}
	p.operands(v, rest)
	return nil
}

// name gives v the number that it is written with.
func (p *parser) name(v *Value, name string) error {
	if name == "" {
		p.unnamed = append(p.unnamed, v)
		return nil
	}
	id, err := number(name, "v")
	if err != nil || p.values[name] != nil {
		return fmt.Errorf("bad or second name %q", name)
	}
	v.ID = id
	p.f.nextValue = max(p.f.nextValue, id+1)
	p.values[name] = v
	return nil
}

// operands connects v with what rest lists, once all values are there.
func (p *parser) operands(v *Value, rest string) {
	p.late = append(p.late, func() error {
		if rest == "" {
			return nil
		}
		list := strings.Split(rest, ",")
		sibling := Void
		for i, word := range list {
			list[i] = strings.TrimSpace(word)
			if a := p.values[list[i]]; a != nil {
				sibling = a.Type
			}
		}
		for i, word := range list {
			b, at := v.Block, slices.Index(v.Block.Values, v)
			if v.Op == OpPhi {
				if i >= len(v.Block.Preds) {
					return fmt.Errorf("%s has too many operands", v)
				}
				b = v.Block.Preds[i]
				at = len(b.Values)
			}
			a, err := p.operand(b, at, word, operandType(v.Op, v.Type, i, sibling))
			if err != nil {
				return err
			}
			v.Args = append(v.Args, a)
		}
		return nil
	})
}

// operand returns the value that a word names. A constant is made at index at of
// b, of type t unless it tells its own.
func (p *parser) operand(b *Block, at int, word string, t Type) (*Value, error) {
	if v := p.values[word]; v != nil {
		return v, nil
	}
	number, typeName, typed := strings.Cut(word, ":")
	n, err := strconv.ParseInt(number, 0, 64)
	if err != nil {
		return nil, fmt.Errorf("no value %q", word)
	}
	if typed {
		var ok bool
		if t, ok = typeNamed(typeName); !ok {
			return nil, fmt.Errorf("no type %q", typeName)
		}
	}
	if t == Void {
		return nil, fmt.Errorf("constant %s needs a type", word)
	}
	c := b.NewValue(OpConst, t, 0)
	c.Int = SignExtend(n, t)
	b.Values = slices.Insert(b.Values, at, c)
	return c, nil
}

// aux reads the word behind the operation and returns the rest.
func (p *parser) aux(v *Value, rest, attributes string) (string, error) {
	w := &words{rest: rest}
	switch v.Op {
	case OpSlotAddr:
		s := p.slots[w.next()]
		if s == nil {
			return "", fmt.Errorf("no such slot: %s", rest)
		}
		v.Aux = s
	case OpGlobalAddr:
		g, err := p.global(w.next())
		v.Aux = g
		return w.rest, err
	case OpMapAddr:
		m, err := p.mapNamed(w.next())
		v.Aux = m
		return w.rest, err
	case OpFuncAddr, OpCall:
		name := w.next()
		p.calls = append(p.calls, func() error {
			i := slices.IndexFunc(p.m.Funcs, func(f *Func) bool { return f.Name == name })
			if i < 0 {
				return fmt.Errorf("no function %q", name)
			}
			v.Aux = p.m.Funcs[i]
			return nil
		})
	case OpZero:
		n, err := strconv.ParseInt(w.next(), 0, 64)
		v.Aux = n
		return w.rest, err
	case OpAtomic:
		i := slices.Index(atomicNames[:], w.next())
		if i < 0 {
			return "", fmt.Errorf("no such atomic operation: %s", rest)
		}
		v.Aux = AtomicOp(i)
	case OpHelper:
		h := &HelperCall{Name: w.next()}
		v.Aux = h
		return w.rest, h.parseAttributes(attributes)
	case OpLoad, OpStore:
		if t, ok := typeNamed(firstWord(rest)); ok {
			v.Aux = t
			w.next()
		}
	}
	return w.rest, nil
}

func firstWord(s string) string {
	w := &words{rest: s}
	return w.next()
}

func (p *parser) global(name string) (*Global, error) {
	for _, g := range p.m.Globals {
		if g.Name == name {
			return g, nil
		}
	}
	if !isName(name) {
		return nil, errName(name)
	}
	g := &Global{Name: name, Size: 8, Align: 8, Section: Bss}
	p.m.Globals = append(p.m.Globals, g)
	return g, nil
}

func (p *parser) mapNamed(name string) (*Map, error) {
	for _, m := range p.m.Maps {
		if m.Name == name {
			return m, nil
		}
	}
	if !isName(name) {
		return nil, errName(name)
	}
	m := &Map{Name: name, KeySize: 4, ValueSize: 8, MaxEntries: 1}
	p.m.Maps = append(p.m.Maps, m)
	return m, nil
}

func (h *HelperCall) parseAttributes(list string) error {
	for _, word := range strings.Fields(list) {
		key, value, _ := strings.Cut(word, "=")
		var n [5]int64
		for i, s := range strings.Split(value, ",") {
			if value == "" || i >= len(n) {
				break
			}
			var err error
			if n[i], err = strconv.ParseInt(s, 0, 64); err != nil {
				return fmt.Errorf("attribute %s: %w", word, err)
			}
		}
		switch key {
		case "pure":
			h.Pure = true
		case "invalidates":
			h.InvalidatesPackets = true
		case "acquires":
			h.Acquires, h.ReleaseHelper = true, n[0]
		case "releases":
			h.Releases = int(n[0])
		case "lock":
			h.Lock = int8(n[0])
		case "reads":
			h.Reads = n
		case "writes":
			h.Writes = n
		case "fills":
			h.Fills = n
		default:
			return fmt.Errorf("no attribute %q", key)
		}
	}
	return nil
}
