package object

import (
	"debug/elf"
	"go/types"

	"github.com/cilium/ebpf/btf"

	"github.com/waggle-bpf/waggle/internal/abi"
	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// slotSize is the size of a pointer in BPF objects: that of an entry of values.
const slotSize = 8

// pinByName is LIBBPF_PIN_BY_NAME of tools/lib/bpf/bpf_helpers.h.
const pinByName = 1

// typedMaps are the map kinds that take BTF types of key and value. The others
// have no map_check_btf in the kernel and refuse them; they get bare sizes.
var typedMaps = map[abi.MapKind]bool{
	abi.MapHash:          true,
	abi.MapArray:         true,
	abi.MapPerCPUHash:    true,
	abi.MapPerCPUArray:   true,
	abi.MapLRUHash:       true,
	abi.MapLRUPerCPUHash: true,
	abi.MapLPMTrie:       true,
	abi.MapSkStorage:     true,
	abi.MapTaskStorage:   true,
}

// indexed kinds have a 4-byte integer as key, and the kernel insists on BTF
// calling it just that (array_map_check_btf, bpf_local_storage_map_check_btf).
var indexed = map[abi.MapKind]bool{
	abi.MapArray:       true,
	abi.MapPerCPUArray: true,
	abi.MapSkStorage:   true,
	abi.MapTaskStorage: true,
}

// placeMaps adds .maps: a symbol, some zero bytes and a BTF variable per map.
// What the map is stands in the variable's type.
func (w *writer) placeMaps(maps []*ir.Map) {
	if len(maps) == 0 {
		return
	}
	sec := w.file.addSection(&elfSection{
		name: ".maps", typ: elf.SHT_PROGBITS, flags: elf.SHF_ALLOC | elf.SHF_WRITE, align: 8,
	})
	ds := &btf.Datasec{Name: sec.name}
	for _, m := range maps {
		def := w.types.mapDef(m)
		off := len(sec.data)
		// The array of slots has no length in the type, as in C.
		size := def.Size + uint32(len(m.Slots)*slotSize)
		for i, f := range m.Slots {
			if f != nil {
				sec.relocs = append(sec.relocs, elfReloc{
					off: int64(off) + int64(def.Size) + int64(i)*slotSize, typ: relBPF64Abs64, sym: w.funcs[f].sym,
				})
			}
		}
		w.maps[m] = w.file.addSymbol(&elfSymbol{
			name: m.Name, typ: elf.STT_OBJECT, bind: elf.STB_GLOBAL, sec: sec, value: int64(off), size: int64(size),
		})
		ds.Vars = append(ds.Vars, btf.VarSecinfo{
			Type: &btf.Var{Name: m.Name, Type: def, Linkage: btf.GlobalVar}, Offset: uint32(off), Size: size,
		})
		sec.data = append(sec.data, make([]byte, size)...)
		if m.Record != nil {
			w.records = append(w.records, &btf.Typedef{Name: abi.RecordPrefix + m.Name, Type: w.types.convert(m.Record)})
		}
	}
	ds.Size = uint32(len(sec.data))
	w.datasecs = append(w.datasecs, ds)
}

// mapSymbol returns the symbol of m.
func (w *writer) mapSymbol(m *ir.Map) *elfSymbol {
	sym := w.maps[m]
	if sym == nil {
		panic("BUG: reference to unknown map " + m.Name)
	}
	return sym
}

// mapDef is the anonymous struct that defines m, as clang makes it from the
// macros __uint and __type: each member is a pointer, a number being the length
// of the array that it points to.
func (c *converter) mapDef(m *ir.Map) *btf.Struct {
	def := &btf.Struct{}
	add := func(name string, target btf.Type) {
		def.Members = append(def.Members, btf.Member{
			Name: name, Type: &btf.Pointer{Target: target}, Offset: btf.Bits(def.Size * 8),
		})
		def.Size += 8
	}
	number := func(name string, n uint32) {
		if n != 0 {
			// Of bytes, as an array of more than 4 GiB is no valid type.
			add(name, &btf.Array{Index: btfU32, Type: btfU8, Nelems: n})
		}
	}
	number("type", uint32(m.Kind))
	if key, value := c.mapKey(m), c.mapValue(m); typedMaps[m.Kind] && key != nil && value != nil {
		add("key", key)
		add("value", value)
	} else {
		number("key_size", m.KeySize)
		number("value_size", m.ValueSize)
	}
	number("max_entries", m.MaxEntries)
	number("map_flags", m.Flags)
	if m.Pin {
		number("pinning", pinByName)
	}
	if len(m.Slots) > 0 {
		// int (*values[])(void *), the last member (parse_btf_map_def of libbpf).
		proto := &btf.FuncProto{Return: btfS32, Params: []btf.FuncParam{{Type: &btf.Pointer{Target: void}}}}
		def.Members = append(def.Members, btf.Member{
			Name: "values", Type: &btf.Array{Index: btfU32, Type: &btf.Pointer{Target: proto}}, Offset: btf.Bits(def.Size * 8),
		})
	}
	return def
}

// mapKey returns the BTF type of m's key, nil if it has none that the kernel
// would accept.
func (c *converter) mapKey(m *ir.Map) btf.Type {
	if indexed[m.Kind] && m.KeySize == 4 {
		return btfU32
	}
	key := c.sized(m.Key, m.KeySize)
	if _, isStruct := key.(*btf.Struct); m.Kind == abi.MapLPMTrie && !isStruct {
		return nil // trie_check_btf
	}
	return key
}

func (c *converter) mapValue(m *ir.Map) btf.Type { return c.sized(m.Value, m.ValueSize) }

// sized converts t; nil if it is not of that size, as an empty struct that is
// stored as one byte.
func (c *converter) sized(t types.Type, size uint32) btf.Type {
	if t == nil || c.sizes.Sizeof(t) != int64(size) {
		return nil
	}
	return c.convert(t)
}
