package bpf

// MapFlags are the flags a map is created with; BPF_F_* in
// include/uapi/linux/bpf.h.
type MapFlags uint32

// The flags for maps.
const (
	NoPrealloc  MapFlags = 1 << 0  // allocate entries as they come
	NoCommonLRU MapFlags = 1 << 1  // an LRU list of its own for every CPU
	ReadOnly    MapFlags = 1 << 3  // user space may not write
	WriteOnly   MapFlags = 1 << 4  // user space may not read
	ReadOnlyBPF MapFlags = 1 << 7  // programs may not write
	Mmapable    MapFlags = 1 << 10 // an array that user space can map into its memory
)

// UpdateFlag says what an update expects to find.
type UpdateFlag uint64

// The flags for updates.
const (
	Any     UpdateFlag = 0 // add or replace
	NoExist UpdateFlag = 1 // add; EEXIST if the key is there
	Exist   UpdateFlag = 2 // replace; ENOENT if the key is missing
)
