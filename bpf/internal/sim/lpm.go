package sim

import "encoding/binary"

// A key of a trie is a 32-bit prefix length in bits and the data.

func prefixLen(key []byte) int { return int(binary.NativeEndian.Uint32(key)) }

func validPrefix(key []byte) bool { return prefixLen(key) <= 8*(len(key)-4) }

// longestPrefix finds the entry with the longest prefix of key.
func (m *Map) longestPrefix(key []byte) *entry {
	if !validPrefix(key) {
		return nil
	}
	var best *entry
	for k, e := range m.entries {
		n := prefixLen([]byte(k))
		if n > prefixLen(key) || !samePrefix([]byte(k)[4:], key[4:], n) {
			continue
		}
		if best == nil || n > prefixLen([]byte(best.key)) {
			best = e
		}
	}
	return best
}

// samePrefix reports whether the first n bits of a and b agree.
func samePrefix(a, b []byte, n int) bool {
	for i := range n {
		if (a[i/8]^b[i/8])>>(7-i%8)&1 != 0 {
			return false
		}
	}
	return true
}
