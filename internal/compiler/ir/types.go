package ir

// Type is the machine type of a value.
type Type uint8

// The machine types. Ptr is 64 bits wide and opaque: what a pointer points to
// is a property of the operation that made it.
const (
	Void Type = iota
	I8
	I16
	I32
	I64
	Ptr
)

var typeNames = [...]string{"void", "i8", "i16", "i32", "i64", "ptr"}

func (t Type) String() string { return typeNames[t] }

// Size returns the width of t in bytes; Void has none.
func (t Type) Size() int64 {
	switch t {
	case I8:
		return 1
	case I16:
		return 2
	case I32:
		return 4
	case I64, Ptr:
		return 8
	}
	return 0
}

// Bits returns the width of t in bits.
func (t Type) Bits() int64 { return 8 * t.Size() }

// IsInt reports whether t is one of the integer types.
func (t Type) IsInt() bool { return I8 <= t && t <= I64 }

// IntOfSize returns the integer type of n bytes, n being 1, 2, 4 or 8.
func IntOfSize(n int64) Type {
	switch n {
	case 1:
		return I8
	case 2:
		return I16
	case 4:
		return I32
	case 8:
		return I64
	}
	panic("BUG: no integer type of that size")
}
