package regalloc

import "github.com/waggle-bpf/waggle/internal/compiler/mach"

// edgeSet is a set of pairs of registers: open addressing, power of two.
type edgeSet struct {
	keys []uint64
	used int
}

func newEdgeSet(capacity int) edgeSet {
	n := 64
	for n < 2*capacity {
		n *= 2
	}
	return edgeSet{keys: make([]uint64, n)}
}

// key is never zero: no register interferes with itself.
func edgeKey(u, v mach.Reg) uint64 {
	if u > v {
		u, v = v, u
	}
	return uint64(u)<<32 | uint64(v)
}

// find returns where k is or would be.
func (s *edgeSet) find(k uint64) int {
	mask := uint64(len(s.keys) - 1)
	h := (k ^ k>>29) * 0x9e3779b97f4a7c15
	for n := h >> 20 & mask; ; n = (n + 1) & mask {
		if s.keys[n] == k || s.keys[n] == 0 {
			return int(n)
		}
	}
}

func (s *edgeSet) has(u, v mach.Reg) bool {
	k := edgeKey(u, v)
	return s.keys[s.find(k)] == k
}

// add puts (u, v) into s and reports whether it is new.
func (s *edgeSet) add(u, v mach.Reg) bool {
	k := edgeKey(u, v)
	n := s.find(k)
	if s.keys[n] == k {
		return false
	}
	s.keys[n] = k
	if s.used++; 2*s.used > len(s.keys) {
		s.grow()
	}
	return true
}

func (s *edgeSet) grow() {
	old := s.keys
	s.keys = make([]uint64, 2*len(old))
	for _, k := range old {
		if k != 0 {
			s.keys[s.find(k)] = k
		}
	}
}
