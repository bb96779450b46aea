// Package btftext turns memory into text or JSON by its BTF type: events and map
// values of objects whose Go types nobody has.
package btftext

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"

	"github.com/cilium/ebpf/btf"
)

// Struct is a struct or union with its members in order. It prints as
// {pid:1 comm:"sh"} and marshals to a JSON object.
type Struct []Member

// Member is a field of a Struct; anonymous ones have no name.
type Member struct {
	Name  string
	Value any
}

// Array is an array of anything but characters and bytes.
type Array []any

// Bytes are raw bytes: hexadecimal digits.
type Bytes []byte

// Address is a pointer's value.
type Address uint64

// Name is an enumeration's value that has a name, several of them with bars between
// for flags, or an Ethernet address.
type Name string

// Decode reads a value of type t. The result is a bool, int64, uint64, float64,
// string, Struct, Array, Bytes, Address, Name or netip.Addr. What doesn't fit into
// data is Bytes.
func Decode(t btf.Type, data []byte) any {
	size, err := btf.Sizeof(t)
	if err != nil || size > len(data) {
		return Bytes(data)
	}
	data = data[:size]
	if v, ok := decodeKnown(t, data); ok {
		return v
	}
	t = btf.UnderlyingType(t)
	switch t := t.(type) {
	case *btf.Int:
		return decodeInt(t.Encoding, data)
	case *btf.Enum:
		return decodeEnum(t, data)
	case *btf.Pointer:
		return Address(number(data))
	case *btf.Float:
		if size == 4 {
			return float64(math.Float32frombits(uint32(number(data))))
		} else if size == 8 {
			return math.Float64frombits(number(data))
		}
	case *btf.Array:
		return decodeArray(t, data)
	case *btf.Struct:
		return decodeMembers(t.Members, data)
	case *btf.Union:
		return decodeMembers(t.Members, data)
	}
	return Bytes(data)
}

func decodeInt(enc btf.IntEncoding, data []byte) any {
	switch {
	case len(data) > 8:
		return Bytes(data)
	case enc == btf.Bool:
		return number(data) != 0
	case enc == btf.Signed, enc == btf.Char:
		return signed(number(data), uint(len(data))*8)
	}
	return number(data)
}

func decodeEnum(t *btf.Enum, data []byte) any {
	v := number(data)
	for _, e := range t.Values {
		if e.Value == v || t.Signed && signed(e.Value, t.Size*8) == signed(v, t.Size*8) {
			return Name(e.Name)
		}
	}
	if name, ok := flagNames(t, v); ok {
		return name
	}
	if t.Signed {
		return signed(v, t.Size*8)
	}
	return v
}

// fewestFlags is how many values a set of flags has at least: 1 and 2 are also the
// first values of any enumeration, 1, 2 and 4 are not.
const fewestFlags = 3

// flagNames names the bits of a value of an enumeration that is a set of flags: all
// its values are powers of two.
func flagNames(t *btf.Enum, v uint64) (Name, bool) {
	var names []string
	flags := 0
	for _, e := range t.Values {
		switch {
		case e.Value == 0:
			continue
		case bits.OnesCount64(e.Value) != 1:
			return "", false
		case v&e.Value != 0:
			names = append(names, e.Name)
			v &^= e.Value
		}
		flags++
	}
	return Name(strings.Join(names, "|")), v == 0 && len(names) > 0 && flags >= fewestFlags
}

// decodeArray reads an array of characters as text, and so an array of bytes
// that holds text and nothing else.
func decodeArray(t *btf.Array, data []byte) any {
	elem := btf.UnderlyingType(t.Type)
	if i, ok := elem.(*btf.Int); ok && i.Size == 1 && (i.Name == "char" || i.Encoding == btf.Unsigned) {
		if s, ok := text(data); ok {
			return s
		}
		return Bytes(data)
	}
	size, err := btf.Sizeof(elem)
	if err != nil || size == 0 {
		return Bytes(data)
	}
	out := make(Array, 0, t.Nelems)
	for ; len(data) >= size; data = data[size:] {
		out = append(out, Decode(elem, data[:size]))
	}
	return out
}

// text is what lies before the first zero byte, if that is printable, not empty
// and all behind it is zero.
func text(data []byte) (string, bool) {
	s := strings.TrimRight(string(data), "\x00")
	for _, r := range s {
		if r != '\t' && r != '\n' && !strconv.IsPrint(r) || r == '\uFFFD' {
			return "", false
		}
	}
	return s, s != ""
}

func decodeMembers(members []btf.Member, data []byte) any {
	out := make(Struct, 0, len(members))
	for _, m := range members {
		out = append(out, Member{m.Name, decodeMember(m, data)})
	}
	return out
}

func decodeMember(m btf.Member, data []byte) any {
	if m.BitfieldSize > 0 {
		return decodeBits(m, data)
	}
	start := int(m.Offset.Bytes())
	if start > len(data) {
		return Bytes(nil)
	}
	return Decode(m.Type, data[start:])
}

// decodeBits reads a bit-field: BTF counts its offset from the lowest bit of
// the struct's first byte.
func decodeBits(m btf.Member, data []byte) any {
	var v uint64
	for i := range uint(min(m.BitfieldSize, 64)) {
		bit := uint(m.Offset) + i
		if int(bit/8) >= len(data) {
			break
		}
		v |= uint64(data[bit/8]>>(bit%8)&1) << i
	}
	switch t := btf.UnderlyingType(m.Type).(type) {
	case *btf.Int:
		if t.Encoding == btf.Bool {
			return v != 0
		}
		if t.Encoding == btf.Signed {
			return signed(v, uint32(m.BitfieldSize))
		}
	case *btf.Enum:
		return decodeEnum(t, binary.NativeEndian.AppendUint64(nil, v))
	}
	return v
}

// number reads up to 8 bytes.
func number(data []byte) uint64 {
	switch len(data) {
	case 1:
		return uint64(data[0])
	case 2:
		return uint64(binary.NativeEndian.Uint16(data))
	case 4:
		return uint64(binary.NativeEndian.Uint32(data))
	case 8:
		return binary.NativeEndian.Uint64(data)
	}
	return 0
}

func signed[N uint | uint32](v uint64, bits N) int64 {
	if bits == 0 || bits >= 64 {
		return int64(v)
	}
	shift := 64 - bits
	return int64(v<<shift) >> shift
}

func (s Struct) String() string {
	var b strings.Builder
	b.WriteByte('{')
	for i, m := range s {
		if i > 0 {
			b.WriteByte(' ')
		}
		if m.Name != "" {
			b.WriteString(m.Name + ":")
		}
		b.WriteString(Text(m.Value))
	}
	b.WriteByte('}')
	return b.String()
}

// Text prints a decoded value on one line.
func Text(v any) string {
	if s, ok := v.(string); ok {
		return strconv.Quote(s)
	}
	return fmt.Sprint(v)
}

func (a Array) String() string {
	parts := make([]string, len(a))
	for i, v := range a {
		parts[i] = Text(v)
	}
	return "[" + strings.Join(parts, " ") + "]"
}

func (b Bytes) String() string { return hex.EncodeToString(b) }

// MarshalText gives JSON hexadecimal digits.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

func (a Address) String() string { return fmt.Sprintf("%#x", uint64(a)) }

// MarshalText gives JSON the number in hexadecimal: it has more digits than a
// JSON number can keep.
func (a Address) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// MarshalJSON keeps the members in order; those of anonymous members come
// under a number.
func (s Struct) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, m := range s {
		if i > 0 {
			b = append(b, ',')
		}
		name := m.Name
		if name == "" {
			name = strconv.Itoa(i)
		}
		key, err := json.Marshal(name)
		if err != nil {
			return nil, err
		}
		value, err := marshal(m.Value)
		if err != nil {
			return nil, err
		}
		b = append(append(append(b, key...), ':'), value...)
	}
	return append(b, '}'), nil
}

// marshal is json.Marshal, which has no words for some floats.
func marshal(v any) ([]byte, error) {
	if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
		v = fmt.Sprint(f)
	}
	return json.Marshal(v)
}
