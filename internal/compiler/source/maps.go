package source

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"math"
	"math/bits"

	"github.com/waggle-bpf/waggle/internal/abi"
)

// Limits on maps, from kernel/bpf/{arraymap,hashtab,lpm_trie,ringbuf}.c.
const (
	maxKeySize       = 512      // a key must fit on the stack
	maxPerCPUValue   = 32 << 10 // PCPU_MIN_UNIT_SIZE
	maxMapEntries    = 1 << 31
	maxArrayBytes    = 1 << 32
	pageSize         = 4096
	maxRingBufBytes  = 1 << 31
	minLPMKey        = 4 + 1
	maxLPMKey        = 4 + 256
	lpmPrefixLenSize = 4
)

// readMap evaluates a map variable's literal; nil if it is wrong, which has then
// been reported.
func (l *loader) readMap(v *types.Var, kind *abi.MapType, named *types.Named) *Map {
	m := &Map{
		Type:  kind,
		Key:   side(kind.Key, named),
		Value: side(kind.Value, named),
		Event: event(kind, named),
		Flags: kind.Flags,
		Pos:   v.Pos(),

		fields: make(map[string]constant.Value),
	}
	n := len(l.diags)
	l.readMapLiteral(m, v)
	if m.MaxEntries == 0 {
		m.MaxEntries = kind.DefaultMaxEntries
	}
	if len(l.diags) == n {
		l.checkKey(m, v)
		l.checkValue(m, v)
		l.checkLocks(m, v)
		l.checkMaxEntries(m, v)
	}
	if len(l.diags) > n {
		return nil
	}
	return m
}

func side(s abi.MapSide, named *types.Named) types.Type {
	if s.TypeParam == 0 {
		return nil
	}
	return named.TypeArgs().At(s.TypeParam - 1)
}

// event returns the type argument that is neither key nor value.
func event(kind *abi.MapType, named *types.Named) types.Type {
	for i := range named.TypeArgs().Len() {
		if i+1 != kind.Key.TypeParam && i+1 != kind.Value.TypeParam {
			return named.TypeArgs().At(i)
		}
	}
	return nil
}

func (l *loader) readMapLiteral(m *Map, v *types.Var) {
	value := l.initialValue(v)
	if value == nil {
		return
	}
	lit, ok := value.(*ast.CompositeLit)
	if !ok {
		l.refuse(value.Pos(), codeMapLiteral, "map %s does not start as a composite literal", v.Name())
		return
	}
	for _, elt := range lit.Elts {
		kv, ok := elt.(*ast.KeyValueExpr)
		if !ok {
			l.refuse(elt.Pos(), codeMapLiteral, "the literal of map %s does not name its fields", v.Name())
			return
		}
		l.readMapField(m, v, kv.Key.(*ast.Ident).Name, kv.Value)
	}
}

func (l *loader) readMapField(m *Map, v *types.Var, field string, value ast.Expr) {
	c := l.info.Types[value].Value
	if c == nil {
		l.refuse(value.Pos(), codeMapLiteral, "field %s of map %s is not a constant", field, v.Name())
		return
	}
	m.fields[field] = c
	switch field {
	case "MaxEntries":
		m.MaxEntries = uint32(intValue(c))
	case "Flags":
		m.Flags |= uint32(intValue(c))
	case "Pin":
		m.Pin = c.Kind() == constant.Bool && constant.BoolVal(c) || intValue(c) != 0
	default:
		l.refuse(value.Pos(), codeMapLiteral, "field %s of map %s means nothing to the kernel", field, v.Name())
	}
}

// intValue returns the bits of an integer constant; 0 if it is none.
func intValue(c constant.Value) int64 {
	c = constant.ToInt(c)
	if n, ok := constant.Int64Val(c); ok {
		return n
	}
	n, _ := constant.Uint64Val(c)
	return int64(n)
}

func (l *loader) checkKey(m *Map, v *types.Var) {
	if m.Key == nil {
		return
	}
	name := typeName(m.Key, v.Pkg())
	size := l.sizes.Sizeof(m.Key)
	if what, where := findPointer(m.Key, name); what != "" {
		l.refuse(v.Pos(), codeKeyPointer, "the key of map %s holds %s: %s", v.Name(), what, where)
		return
	}
	if h := findHole(m.Key, name, l.sizes); h != nil {
		l.errorf(v.Pos(), codeKeyHole, "make it a field: "+blankField(h.size), "the key of map %s has %s", v.Name(), h)
		return
	}
	switch {
	case size == 0:
		l.refuse(v.Pos(), codeZeroSize, "the key of map %s has no size", v.Name())
	case size > maxKeySize:
		l.refuse(v.Pos(), codeTooLarge, "the key of map %s has %d bytes, the limit is %d", v.Name(), size, maxKeySize)
	case m.Type.Kind == abi.MapLPMTrie && !l.isLPMKey(m.Key):
		l.refuse(v.Pos(), codeLPMKey, "%s is not a key for an LPM trie", name)
	}
}

func blankField(size int64) string {
	if size == 1 {
		return "_ uint8"
	}
	return "_ [" + constant.MakeInt64(size).String() + "]byte"
}

// isLPMKey wants struct bpf_lpm_trie_key: a prefix length and 1 to 256 bytes.
func (l *loader) isLPMKey(t types.Type) bool {
	s, ok := t.Underlying().(*types.Struct)
	if !ok || s.NumFields() == 0 {
		return false
	}
	first, ok := s.Field(0).Type().Underlying().(*types.Basic)
	size := l.sizes.Sizeof(t)
	return ok && first.Kind() == types.Uint32 && minLPMKey <= size && size <= maxLPMKey
}

func (l *loader) checkValue(m *Map, v *types.Var) {
	if m.Event != nil {
		if what, where := findPointer(m.Event, typeName(m.Event, v.Pkg())); what != "" {
			l.refuse(v.Pos(), codeValuePointer, "the records of %s hold %s: %s", v.Name(), what, where)
		}
	}
	if m.Value == nil {
		return
	}
	name := typeName(m.Value, v.Pkg())
	size := l.sizes.Sizeof(m.Value)
	what, where := findPointer(m.Value, name)
	switch {
	case what != "":
		l.refuse(v.Pos(), codeValuePointer, "the value of map %s holds %s: %s", v.Name(), what, where)
	case size == 0:
		l.refuse(v.Pos(), codeZeroSize, "the value of map %s has no size", v.Name())
	case isPerCPU(m.Type.Kind) && size > maxPerCPUValue:
		l.refuse(v.Pos(), codeTooLarge, "the value of map %s has %d bytes for each CPU, the limit is %d", v.Name(), size, maxPerCPUValue)
	case size > math.MaxInt32:
		l.refuse(v.Pos(), codeTooLarge, "the value of map %s has %d bytes, the limit is %d", v.Name(), size, math.MaxInt32)
	}
}

func isPerCPU(k abi.MapKind) bool {
	return k == abi.MapPerCPUArray || k == abi.MapPerCPUHash || k == abi.MapLRUPerCPUHash
}

func (l *loader) checkMaxEntries(m *Map, v *types.Var) {
	switch {
	case m.MaxEntries == 0 && !m.Type.NoMaxEntries:
		l.refuse(v.Pos(), codeNoMaxEntries, "map %s has no size", v.Name())
	case m.Type.Kind == abi.MapRingBuf:
		l.checkRingSize(m, v)
	case m.MaxEntries > maxMapEntries:
		l.refuse(v.Pos(), codeTooLarge, "map %s has %d entries, the limit is %d", v.Name(), m.MaxEntries, int64(maxMapEntries))
	case m.Value != nil && isArray(m.Type.Kind) && roundUp(l.sizes.Sizeof(m.Value), 8)*int64(m.MaxEntries) > maxArrayBytes:
		l.refuse(v.Pos(), codeTooLarge, "map %s takes more than %d bytes", v.Name(), int64(maxArrayBytes))
	}
}

func isArray(k abi.MapKind) bool { return k == abi.MapArray || k == abi.MapPerCPUArray }

func roundUp(n, to int64) int64 { return (n + to - 1) / to * to }

// checkRingSize wants a power of two and whole pages.
func (l *loader) checkRingSize(m *Map, v *types.Var) {
	n := m.MaxEntries
	if n >= pageSize && bits.OnesCount32(n) == 1 {
		return
	}
	next := int64(max(pageSize, 1<<bits.Len32(n-1)))
	if next > maxRingBufBytes {
		next = maxRingBufBytes
	}
	l.errorf(l.fieldPos(v, "MaxEntries"), codeRingSize, "the next one is "+constant.MakeInt64(next).String(),
		"the size of ring buffer %s is %d bytes, not a power of two of whole pages", v.Name(), n)
}

// fieldPos is where a map's literal sets a field.
func (l *loader) fieldPos(v *types.Var, field string) token.Pos {
	if lit, ok := l.initialValue(v).(*ast.CompositeLit); ok {
		for _, elt := range lit.Elts {
			if kv, ok := elt.(*ast.KeyValueExpr); ok && kv.Key.(*ast.Ident).Name == field {
				return kv.Value.Pos()
			}
		}
	}
	return v.Pos()
}
