package abi

// MapKind is the kernel's number of a map type (BPF_MAP_TYPE_*).
type MapKind uint32

// The map kinds that package bpf declares; numbers from include/uapi/linux/bpf.h.
const (
	MapHash           MapKind = 1
	MapArray          MapKind = 2
	MapProgArray      MapKind = 3
	MapPerfEventArray MapKind = 4
	MapPerCPUHash     MapKind = 5
	MapPerCPUArray    MapKind = 6
	MapStackTrace     MapKind = 7
	MapCgroupArray    MapKind = 8
	MapLRUHash        MapKind = 9
	MapLRUPerCPUHash  MapKind = 10
	MapLPMTrie        MapKind = 11
	MapDevMap         MapKind = 14
	MapSockMap        MapKind = 15
	MapCPUMap         MapKind = 16
	MapXSKMap         MapKind = 17
	MapSockHash       MapKind = 18
	MapQueue          MapKind = 22
	MapStack          MapKind = 23
	MapSkStorage      MapKind = 24
	MapDevMapHash     MapKind = 25
	MapRingBuf        MapKind = 27
	MapTaskStorage    MapKind = 29
	MapBloomFilter    MapKind = 30
)

// MapType is one row of the map-type table.
type MapType struct {
	// GoName is the generic type's name in package bpf.
	GoName string
	Kind   MapKind
	// Key and Value say where the sizes come from.
	Key, Value MapSide
	// Flags are set whatever the user asks for (BPF_F_NO_PREALLOC for tries).
	Flags uint32
	// NoMaxEntries: max_entries may be 0: sk storage must have it so, and
	// loaders fill in the number of CPUs for perf event arrays.
	NoMaxEntries bool
	// DefaultMaxEntries is used when the literal names none; 0 makes it an error.
	DefaultMaxEntries uint32
	MinKernel         string
}

// MapSide says what one side (key or value) of a map type is.
type MapSide struct {
	// TypeParam is 1 plus the index of the type parameter that gives the type.
	TypeParam int
	// Fixed is the size when there is no type parameter: 4 for indices and
	// file descriptors, 0 for none.
	Fixed uint32
}

// MapTypeByGoName finds the row of a type of package bpf; nil if there is none.
func MapTypeByGoName(name string) *MapType {
	for i := range MapTypes {
		if MapTypes[i].GoName == name {
			return &MapTypes[i]
		}
	}
	return nil
}
