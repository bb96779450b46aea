package abi

// Helper is one row of the helper table: what the compiler must know about one
// BPF helper function.
type Helper struct {
	ID   uint32
	Name string // without "bpf_"
	// Args are the C types of the parameters, for ReadOnly and for people.
	Args []string
	// InvalidatesPackets: packet pointers are dead after the call.
	InvalidatesPackets bool
	// Pure calls have no effect beyond their result: map lookups, clocks.
	Pure bool
	// ReleaseWith is the helper that gives back the reference this one
	// returns (ringbuf_reserve: ringbuf_discard), 0 if it returns none.
	ReleaseWith uint32
	// Releases is 1 plus the argument whose reference the call gives back.
	Releases int
	// Lock is +1 for a helper that takes a lock, -1 for one that drops it.
	Lock int8
	// MinKernel is the first kernel with the helper, "" if unknown.
	MinKernel string
}

// ReadOnly reports whether the kernel only reads through argument i.
func (h *Helper) ReadOnly(i int) bool {
	return i < len(h.Args) && len(h.Args[i]) > 6 && h.Args[i][:6] == "const "
}

// HelperByName finds a helper by its name without "bpf_"; nil if unknown.
func HelperByName(name string) *Helper {
	for i := range Helpers {
		if Helpers[i].Name == name {
			return &Helpers[i]
		}
	}
	return nil
}
