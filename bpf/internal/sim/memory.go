package sim

import "bytes"

// Poke puts bytes at an address that programs may read from: kernel or user
// memory.
func (k *Kernel) Poke(addr uint64, b []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.memory[addr] = bytes.Clone(b)
}

// peek returns the bytes from addr to the end of the piece that holds it.
func (k *Kernel) peek(addr uint64) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	for start, b := range k.memory {
		if start <= addr && addr-start < uint64(len(b)) {
			return b[addr-start:]
		}
	}
	return nil
}

// ReadMemory copies len(dst) bytes from addr; where there are none it clears dst.
func (k *Kernel) ReadMemory(dst []byte, addr uint64) int32 {
	b := k.peek(addr)
	if len(b) < len(dst) {
		clear(dst)
		return eFault
	}
	copy(dst, b)
	return 0
}

// ReadString copies a string up to its zero byte, which the end of the piece of
// memory stands for too, and returns the number of bytes written.
func (k *Kernel) ReadString(dst []byte, addr uint64) int32 {
	b := k.peek(addr)
	if b == nil {
		clear(dst)
		return eFault
	}
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	if len(dst) == 0 {
		return 0
	}
	n := copy(dst[:len(dst)-1], b)
	dst[n] = 0
	return int32(n + 1)
}
