package kern

import (
	"testing"
	"unsafe"
)

func TestLayout(t *testing.T) {
	if n := unsafe.Sizeof(Header{}); n != HeaderLen {
		t.Errorf("a Header has %d bytes, HeaderLen says %d", n, HeaderLen)
	}
	if n := unsafe.Sizeof(Record{}); n != 32<<10 {
		t.Errorf("a Record has %d bytes, of which there are to be 32 KiB: more won't fit into a value for each CPU", n)
	}
	if n := unsafe.Sizeof(Flow{}); n != 36 {
		t.Errorf("a Flow has %d bytes, and so padding", n)
	}
}
