package abi

// fills lists the helpers that overwrite all of a buffer, on success with data
// and on failure with zeros (the verifier's ARG_PTR_TO_UNINIT_MEM): 1 plus the
// buffer's argument, and 1 plus that of its size. What such a buffer held before
// the call does not matter. The string readers are not among them: they leave
// what lies behind the string.
var fills = map[string][2]int{
	"probe_read":              {1, 2},
	"probe_read_kernel":       {1, 2},
	"probe_read_user":         {1, 2},
	"copy_from_user":          {1, 2},
	"get_current_comm":        {1, 2},
	"skb_load_bytes":          {3, 4},
	"skb_load_bytes_relative": {3, 4},
	"xdp_load_bytes":          {3, 4},
}

// Fills returns which argument of the helper is overwritten as a whole and which
// one is its size; ok is false if there is none.
func (h *Helper) Fills() (buf, size int, ok bool) {
	f, ok := fills[h.Name]
	return f[0] - 1, f[1] - 1, ok
}
