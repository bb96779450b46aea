package ir

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/waggle-bpf/waggle/internal/abi"
)

// Parse reads the text of a module, as [Module.String] writes it; the text of one
// function will do. It serves tests and the study of dumps: positions, Go types
// and the initial bytes of globals are not in the text. What a function mentions
// without declaring it is made up: maps and globals of 8 bytes.
func Parse(text string) (*Module, error) {
	p := &parser{m: &Module{}}
	for n, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, ";")
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		if err := p.line(line); err != nil {
			return nil, fmt.Errorf("parse ir: line %d: %w", n+1, err)
		}
	}
	if err := p.finish(); err != nil {
		return nil, fmt.Errorf("parse ir: %w", err)
	}
	return p.m, nil
}

type parser struct {
	m *Module
	// Of the function at hand:
	f      *Func
	b      *Block
	blocks map[string]*Block
	values map[string]*Value
	slots  map[string]*Slot
	// unnamed are the operations without a result: they get numbers that no
	// other value has.
	unnamed []*Value
	late    []func() error // what needs all values and blocks
	calls   []func() error // what needs all functions
}

func (p *parser) line(line string) error {
	w := &words{rest: line}
	first := w.next()
	switch {
	case first == "map":
		return p.declareMap(w)
	case first == "global":
		return p.declareGlobal(w)
	case first == "func" || first == "prog":
		return p.startFunc(first, w)
	case p.f == nil:
		return fmt.Errorf("%q outside of a function", line)
	case strings.HasPrefix(first, "slot"):
		return p.declareSlot(first, w)
	case strings.HasSuffix(first, ":"):
		return p.startBlock(strings.TrimSuffix(first, ":"), w)
	case p.b == nil:
		return fmt.Errorf("%q outside of a block", line)
	}
	if end := terminators[first]; end != nil {
		return end(p, p.b, w)
	}
	return p.value(line)
}

// words takes a line apart.
type words struct{ rest string }

func (w *words) next() string {
	word, rest, _ := strings.Cut(strings.TrimLeft(w.rest, " \t"), " ")
	w.rest = rest
	return word
}

// fields reads pairs of a key and a number; section and names are left alone.
func (w *words) fields() (map[string]int64, error) {
	out := map[string]int64{}
	for key := w.next(); key != ""; key = w.next() {
		n, err := strconv.ParseInt(w.next(), 0, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		out[key] = n
	}
	return out, nil
}

// isName reports whether a word can name a function, map or global.
func isName(word string) bool {
	return word != "" && strings.IndexFunc(word, func(r rune) bool {
		return r != '_' && r != '.' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}) < 0
}

func errName(word string) error { return fmt.Errorf("%q is no name", word) }

// maxNumber bounds the numbers of values, blocks and slots, which index tables.
const maxNumber = 1 << 20

// number reads the number behind a prefix: v12, b3, slot0.
func number(word, prefix string) (int, error) {
	digits, ok := strings.CutPrefix(word, prefix)
	n, err := strconv.ParseUint(digits, 10, 32)
	if !ok || err != nil || n >= maxNumber {
		return 0, errName(word)
	}
	return int(n), nil
}

func (p *parser) declareMap(w *words) error {
	m := &Map{Name: w.next()}
	if !isName(m.Name) {
		return errName(m.Name)
	}
	n, err := w.fields()
	m.Kind, m.KeySize, m.ValueSize, m.MaxEntries = abi.MapKind(n["kind"]), uint32(n["key"]), uint32(n["value"]), uint32(n["entries"])
	p.m.Maps = append(p.m.Maps, m)
	return err
}

func (p *parser) declareGlobal(w *words) error {
	name := w.next()
	if !isName(name) {
		return errName(name)
	}
	head, section, _ := strings.Cut(w.rest, " in ")
	n, err := (&words{rest: head}).fields()
	g := &Global{Name: name, Size: n["size"], Align: n["align"], Section: Section(section)}
	if !slices.Contains([]Section{Data, Bss, Rodata}, g.Section) {
		return fmt.Errorf("no section %q", section)
	}
	p.m.Globals = append(p.m.Globals, g)
	return err
}

func (p *parser) startFunc(kind string, w *words) error {
	if err := p.endFunc(); err != nil {
		return err
	}
	f := p.m.NewFunc(w.next(), 0)
	if !isName(f.Name) {
		return errName(f.Name)
	}
	p.f, p.b = f, nil
	p.blocks, p.values, p.slots = map[string]*Block{}, map[string]*Value{}, map[string]*Slot{}
	head, attributes, _ := strings.Cut(w.rest, "]")
	for _, name := range strings.Fields(strings.TrimPrefix(strings.TrimSpace(head), "-> [")) {
		t, ok := typeNamed(name)
		if !ok {
			return fmt.Errorf("no type %q", name)
		}
		f.Results = append(f.Results, t)
	}
	if kind == "prog" {
		f.Prog = &Program{}
	}
	return p.attributes(f, strings.Fields(attributes))
}

func (p *parser) attributes(f *Func, list []string) error {
	for i, word := range list {
		switch key, value, _ := strings.Cut(word, "="); key {
		case "noinline":
			f.NoInline = true
		case "mustinline":
			f.MustInline = true
		case "notnil":
			n, err := number(value, "")
			if err != nil {
				return err
			}
			f.NotNil = append(f.NotNil, make([]bool, max(0, n+1-len(f.NotNil)))...)
			f.NotNil[n] = true
		case "verdict":
			if i+1 == len(list) || f.Prog == nil {
				return fmt.Errorf("misplaced %q", word)
			}
			n, err := strconv.ParseInt(list[i+1], 0, 64)
			if err != nil {
				return err
			}
			f.Prog.Verdict = n
		}
	}
	return nil
}

func (p *parser) declareSlot(word string, w *words) error {
	id, err := number(word, "slot")
	if err != nil {
		return err
	}
	quoted, err := strconv.QuotedPrefix(strings.TrimSpace(w.rest))
	if err != nil {
		return fmt.Errorf("slot name: %w", err)
	}
	name, _ := strconv.Unquote(quoted)
	n, err := (&words{rest: strings.TrimSpace(w.rest)[len(quoted):]}).fields()
	s := p.f.NewSlot(name, n["size"], max(1, n["align"]), 0)
	s.ID, s.Offset = id, n["at"]
	p.f.nextSlot = max(p.f.nextSlot, id+1)
	p.slots[word] = s
	return err
}

// startBlock makes a block; its predecessors are put in order when all are known.
func (p *parser) startBlock(name string, w *words) error {
	id, err := number(name, "b")
	if err != nil || p.blocks[name] != nil {
		return fmt.Errorf("bad or second block %q", name)
	}
	b := p.f.NewBlock()
	b.ID = id
	p.f.nextBlock = max(p.f.nextBlock, id+1)
	p.b, p.blocks[name] = b, b
	preds := strings.Fields(strings.Trim(strings.TrimPrefix(strings.TrimSpace(w.rest), "<-"), " []"))
	p.late = append(p.late, func() error {
		for _, name := range preds {
			from, err := p.block(name)
			if err != nil {
				return err
			}
			b.Preds = append(b.Preds, from)
		}
		return nil
	})
	return nil
}

func (p *parser) block(name string) (*Block, error) {
	b := p.blocks[name]
	if b == nil {
		return nil, fmt.Errorf("no block %q", name)
	}
	return b, nil
}

// endFunc connects what was read of a function.
func (p *parser) endFunc() error {
	if p.f == nil {
		return nil
	}
	for _, v := range p.unnamed {
		v.ID = p.f.nextValue
		p.f.nextValue++
	}
	for _, connect := range p.late {
		if err := connect(); err != nil {
			return fmt.Errorf("func %s: %w", p.f.Name, err)
		}
	}
	p.late, p.unnamed = nil, nil
	if len(p.f.Blocks) == 0 {
		return fmt.Errorf("func %s has no blocks", p.f.Name)
	}
	slices.SortFunc(p.f.Params, func(a, b *Value) int { return int(a.Int - b.Int) })
	return nil
}

func (p *parser) finish() error {
	if err := p.endFunc(); err != nil {
		return err
	}
	for _, connect := range p.calls {
		if err := connect(); err != nil {
			return err
		}
	}
	for _, f := range p.m.Funcs {
		if err := f.Check(); err != nil {
			return err
		}
	}
	return nil
}

func typeNamed(name string) (Type, bool) {
	i := slices.Index(typeNames[:], name)
	return Type(max(i, 0)), i >= 0
}
