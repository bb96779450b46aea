package bpf

import "github.com/waggle-bpf/waggle/bpf/internal/sim"

// CsumDiff returns what changes in a checksum when the bytes in from are
// replaced by those in to, added to seed: a value for L3CsumReplace and
// L4CsumReplace of package tc. Both lengths are multiples of 4; one may be 0.
//
//bpf:helper csum_diff(from.ptr, from.len, to.ptr, to.len, seed)
func CsumDiff(from, to []byte, seed uint32) int64 {
	if len(from)%4 != 0 || len(to)%4 != 0 || len(from)+len(to) > 512 {
		return int64(EINVAL)
	}
	return int64(sim.CsumDiff(from, to, seed))
}
