package interp

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/rand/v2"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// object is a piece of memory of its own: nothing leads from one to another.
type object struct {
	name  string
	base  uint64
	bytes []byte
	known []bool // bytes that were written; nil: all of them
	dead  bool   // freed, or moved by a helper
}

// memory is all objects, by address.
type memory struct {
	next    uint64
	objects []*object
	globals map[*ir.Global]*object
	maps    map[*ir.Map]*object
	values  map[string]*object // of maps
	packet  *object
	// stirred counts the calls that may have changed shared memory.
	stirred []uint64
}

// Addresses of objects are aligned and far apart.
const (
	firstAddress = 0x10000
	spacing      = 0x10000
)

func (m *Machine) start() {
	m.memory = memory{
		next: firstAddress, globals: map[*ir.Global]*object{}, maps: map[*ir.Map]*object{}, values: map[string]*object{},
	}
	m.held = map[uint64]string{}
	for _, g := range m.module.Globals {
		m.global(g)
	}
	m.packet = m.object("packet", append([]byte{}, m.Packet...), false)
	m.Context = append([]byte{}, m.Context...)
}

func (m *Machine) object(name string, bytes []byte, fresh bool) *object {
	o := &object{name: name, base: m.next, bytes: bytes}
	if fresh {
		o.known = make([]bool, len(bytes))
	}
	m.next += spacing * uint64(1+len(bytes)/spacing)
	m.objects = append(m.objects, o)
	return o
}

func (m *Machine) free(o *object) { o.dead = true }

// global returns the memory of g, which is read-only or begins as noise.
func (m *Machine) global(g *ir.Global) *object {
	o := m.globals[g]
	if o == nil {
		bytes := append([]byte{}, g.Init...)
		if g.Init == nil {
			bytes = m.noise("global "+g.Name, int(g.Size))
		}
		o = m.object("global "+g.Name, bytes, false)
		m.globals[g] = o
	}
	return o
}

// noise returns bytes that depend on the seed and name.
func (m *Machine) noise(name string, n int) []byte {
	r := rand.New(rand.NewPCG(m.Seed, hash(name)))
	out := make([]byte, n)
	for i := range out {
		if out[i] = byte(r.Uint32()); r.IntN(3) == 0 {
			out[i] = byte(r.IntN(3)) // small numbers are interesting
		}
	}
	return out
}

func hash(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s))
	return h.Sum64()
}

func (m *Machine) mapObject(x *ir.Map) *object {
	o := m.maps[x]
	if o == nil {
		o = m.object("map "+x.Name, nil, false)
		m.maps[x] = o
	}
	return o
}

// mapNumber returns which map of the module begins at an address.
func (m *Machine) mapNumber(addr uint64) (uint64, error) {
	for i, x := range m.module.Maps {
		if o := m.maps[x]; o != nil && o.base == addr {
			return uint64(i), nil
		}
	}
	return 0, fmt.Errorf("no map at %#x", addr)
}

// mapValue returns the value of a key, made when it is first asked for as it
// would be now.
func (m *Machine) mapValue(x *ir.Map, key []byte) *object {
	name := fmt.Sprintf("value %s[%x]", x.Name, key)
	o := m.values[name]
	if o == nil {
		o = m.object(name, m.noise(name, int(x.ValueSize)), false)
		m.values[name] = o
		for _, s := range m.stirred {
			stir(o, s)
		}
	}
	return o
}

// stir changes a byte of shared memory, as another CPU or a helper might.
func stir(o *object, how uint64) {
	if len(o.bytes) > 0 {
		o.bytes[how%uint64(len(o.bytes))] ^= byte(how>>32) & 3
	}
}

// shared returns the memory that outlives the run. A map value that is as it was
// at first may as well never have been looked at.
func (m *Machine) shared() map[string][]byte {
	out := map[string][]byte{"context": m.Context, m.packet.name: m.packet.bytes}
	for _, o := range m.globals {
		out[o.name] = o.bytes
	}
	for name, o := range m.values {
		fresh := &object{bytes: m.noise(name, len(o.bytes))}
		for _, s := range m.stirred {
			stir(fresh, s)
		}
		if string(fresh.bytes) != string(o.bytes) {
			out[name] = o.bytes
		}
	}
	return out
}

// find returns the object that holds n bytes at addr, and where in it.
func (m *Machine) find(addr uint64, n int64) (*object, int64, error) {
	for i := len(m.objects) - 1; i >= 0; i-- {
		o := m.objects[i]
		if o.dead || addr < o.base || addr-o.base > uint64(len(o.bytes)) {
			continue
		}
		off := int64(addr - o.base)
		if off+n > int64(len(o.bytes)) {
			return nil, 0, fmt.Errorf("access of %d bytes at %s+%d of %d", n, o.name, off, len(o.bytes))
		}
		return o, off, nil
	}
	return nil, 0, fmt.Errorf("access of %d bytes at %#x", n, addr)
}

func (m *Machine) read(addr uint64, n int64) ([]byte, error) {
	o, off, err := m.find(addr, n)
	if err != nil {
		return nil, err
	}
	for i := off; i < off+n && o.known != nil; i++ {
		if !o.known[i] {
			return nil, fmt.Errorf("byte %d of %s was never written", i, o.name)
		}
	}
	return o.bytes[off : off+n], nil
}

func (m *Machine) write(addr uint64, bytes []byte) error {
	o, off, err := m.find(addr, int64(len(bytes)))
	if err != nil {
		return err
	}
	copy(o.bytes[off:], bytes)
	for i := range bytes {
		if o.known != nil {
			o.known[off+int64(i)] = true
		}
	}
	return nil
}

// access runs the operations on memory.
func (m *Machine) access(fr *frame, v *ir.Value) (uint64, error) {
	addr := fr.vals[v.Args[0].ID] + uint64(v.Int)
	switch v.Op {
	case ir.OpLoad, ir.OpVolatile:
		return m.load(addr, width(v, v.Type))
	case ir.OpStore:
		return 0, m.store(addr, fr.vals[v.Args[1].ID], width(v, v.Args[1].Type))
	case ir.OpZero:
		return 0, m.write(addr, make([]byte, v.Aux.(int64)))
	case ir.OpMove:
		bytes, err := m.read(fr.vals[v.Args[1].ID], v.Int)
		if err != nil {
			return 0, err
		}
		return 0, m.write(fr.vals[v.Args[0].ID], append([]byte{}, bytes...))
	case ir.OpCtxPtr:
		return m.packetPointer(addr)
	case ir.OpAtomic:
		return m.atomic(fr, v, addr)
	}
	return 0, fmt.Errorf("can't run this operation")
}

// width is how many bytes v accesses: legal IR has narrow loads and stores of
// wide values.
func width(v *ir.Value, t ir.Type) int64 {
	if narrow, ok := v.Aux.(ir.Type); ok {
		t = narrow
	}
	return t.Size()
}

func (m *Machine) load(addr uint64, n int64) (uint64, error) {
	if err := m.aligned(addr, n); err != nil {
		return 0, err
	}
	bytes, err := m.read(addr, n)
	var word [8]byte
	copy(word[:], bytes)
	return binary.LittleEndian.Uint64(word[:]), err
}

func (m *Machine) store(addr, x uint64, n int64) error {
	if err := m.aligned(addr, n); err != nil {
		return err
	}
	return m.write(addr, binary.LittleEndian.AppendUint64(nil, x)[:n])
}

func (m *Machine) aligned(addr uint64, n int64) error {
	if o, _, err := m.find(addr, n); err == nil && m.Aligned && o.name == "stack" && addr%uint64(n) != 0 {
		return fmt.Errorf("%d bytes at stack+%d are not aligned", n, addr-o.base)
	}
	return nil
}

// packetPointer is what the context's field at addr holds.
func (m *Machine) packetPointer(addr uint64) (uint64, error) {
	o, off, err := m.find(addr, 4)
	switch {
	case err != nil:
		return 0, err
	case o.name != "context":
		return 0, fmt.Errorf("packet pointer from %s", o.name)
	case off == m.DataField:
		return m.packet.base, nil
	case off == m.EndField:
		return m.packet.base + uint64(len(m.packet.bytes)), nil
	}
	return 0, fmt.Errorf("no packet pointer at context+%d", off)
}

func (m *Machine) atomic(fr *frame, v *ir.Value, addr uint64) (uint64, error) {
	t := v.Args[1].Type
	old, err := m.load(addr, t.Size())
	if err != nil {
		return 0, err
	}
	x := fr.vals[v.Args[1].ID]
	switch v.Aux.(ir.AtomicOp) {
	case ir.AtomicAdd:
		x += old
	case ir.AtomicAnd:
		x &= old
	case ir.AtomicOr:
		x |= old
	case ir.AtomicXor:
		x ^= old
	case ir.AtomicCmpXchg:
		if x != old {
			return old, nil
		}
		x = fr.vals[v.Args[2].ID]
	}
	return old, m.store(addr, x, t.Size())
}
