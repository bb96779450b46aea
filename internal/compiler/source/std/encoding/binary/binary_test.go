package binary

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// outcome is what a call leaves behind: a result, the bytes, or a panic.
type outcome struct {
	val     uint64
	mem     [9]byte
	paniced bool
}

func try[O ByteOrder](order O, op int, mem []byte, v uint64) (out outcome) {
	defer func() {
		copy(out.mem[:], mem)
		if recover() != nil {
			out.paniced = true
		}
	}()
	switch op {
	case 0:
		out.val = uint64(order.Uint16(mem))
	case 1:
		out.val = uint64(order.Uint32(mem))
	case 2:
		out.val = order.Uint64(mem)
	case 3:
		order.PutUint16(mem, uint16(v))
	case 4:
		order.PutUint32(mem, uint32(v))
	case 5:
		order.PutUint64(mem, v)
	}
	return out
}

func TestAgainstModel(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		mem := make([]byte, r.IntN(10))
		for i := range mem {
			mem[i] = byte(r.Uint32())
		}
		op, v := r.IntN(6), r.Uint64()
		clone := func() []byte { return bytes.Clone(mem) }
		compare(t, "little", try(LittleEndian, op, clone(), v), try[binary.ByteOrder](binary.LittleEndian, op, clone(), v))
		compare(t, "big", try(BigEndian, op, clone(), v), try[binary.ByteOrder](binary.BigEndian, op, clone(), v))
		compare(t, "native", try(NativeEndian, op, clone(), v), try[binary.ByteOrder](binary.LittleEndian, op, clone(), v))
	}
}

func compare(t *testing.T, name string, got, want outcome) {
	t.Helper()
	if got != want {
		t.Fatalf("%s: got %+v, want %+v", name, got, want)
	}
}
