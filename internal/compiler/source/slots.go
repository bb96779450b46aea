package source

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"math"
	"strings"

	"github.com/waggle-bpf/waggle/internal/abi"
)

// slot is a //bpf:slot directive: the place of a program in a program array.
type slot struct {
	array *types.Var
	index uint32
	pos   token.Pos
}

// maxSlots bounds the slots that an object describes: each takes 8 bytes of it,
// empty ones in front of it too.
const maxSlots = 1 << 16

// readSlots reads the slot directives of a program: the array's name and an index,
// which is a constant expression.
func (l *loader) readSlots(p *Program, list []directive, decl *ast.FuncDecl, fn *types.Func) {
	for _, d := range list {
		if d.word != "slot" {
			continue
		}
		name, expr := d.args, ""
		if i := strings.IndexAny(d.args, " \t"); i >= 0 {
			name, expr = d.args[:i], strings.TrimSpace(d.args[i:])
		}
		v, ok := l.main.types.Scope().Lookup(name).(*types.Var)
		if !ok {
			l.refuse(d.pos, codeSlot, "//bpf:slot names no variable of this package")
			continue
		}
		if kind, _ := mapType(v.Type()); kind == nil || kind.Kind != abi.MapProgArray {
			l.refuse(d.pos, codeSlot, "//bpf:slot of %s, which is no bpf.ProgArray", name)
			continue
		}
		tv, err := types.Eval(l.fset, l.main.types, l.fileScopePos(decl), expr)
		if err != nil || tv.Value == nil {
			l.refuse(d.pos, codeSlot, "the index %q of %s in %s is not a constant", expr, fn.Name(), name)
			continue
		}
		n, exact := constant.Uint64Val(constant.ToInt(tv.Value))
		if !exact || n > math.MaxUint32 {
			l.refuse(d.pos, codeSlot, "the index %s of %s is not one of %s", tv.Value, fn.Name(), name)
			continue
		}
		p.slots = append(p.slots, slot{v, uint32(n), d.pos})
	}
}

// fillSlots tells the program arrays what they hold.
func (l *loader) fillSlots(pkg *Package) {
	for _, p := range pkg.Programs {
		for _, s := range p.slots {
			if m := l.mapVars[s.array]; m != nil {
				l.fillSlot(m, p, s)
			}
		}
	}
}

func (l *loader) fillSlot(m *Map, p *Program, s slot) {
	if s.index >= m.MaxEntries {
		l.refuse(s.pos, codeSlot, "slot %d of %s, which has %d", s.index, m.Name, m.MaxEntries)
		return
	}
	if s.index >= maxSlots {
		l.errorf(s.pos, codeSlot, "let user space do it", "slot %d of %s: only the first %d can be filled here", s.index, m.Name, maxSlots)
		return
	}
	for _, other := range m.Slots {
		if other != nil && other.Kind.Type != p.Kind.Type {
			l.refuse(s.pos, codeSlot, "a //bpf:%s program in %s, which holds //bpf:%s programs", p.Kind.Name, m.Name, other.Kind.Name)
			return
		}
	}
	for int(s.index) >= len(m.Slots) {
		m.Slots = append(m.Slots, nil)
	}
	if m.Slots[s.index] != nil {
		l.refuse(s.pos, codeSlot, "a second program in slot %d of %s", s.index, m.Name)
		return
	}
	m.Slots[s.index] = p
}
