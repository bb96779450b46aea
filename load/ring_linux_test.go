package load

import (
	"encoding/binary"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/load/internal/sys"
)

// fakeRing is a ring buffer without a kernel: the test is the producer.
func fakeRing(t *testing.T, size int) *ring {
	t.Helper()
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	waiter, err := sys.NewWaiter(fd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { waiter.Close() })
	return &ring{
		mem:    &sys.Ring{Consumer: new(atomic.Uint64), Producer: new(atomic.Uint64), Data: make([]byte, 2*size)},
		waiter: waiter,
		mask:   uint64(size - 1),
		flush:  time.Millisecond,
	}
}

// produce adds a record of so many bytes, the header included.
func (r *ring) produce(size uint64) {
	at := r.mem.Producer.Load()
	binary.NativeEndian.PutUint32(r.mem.Data[at&r.mask:], uint32(size-ringHeader))
	r.mem.Producer.Store(at + size)
}

// TestPauseGivesBack pauses under load: a large record is not kept, for there might be
// no room for the next.
func TestPauseGivesBack(t *testing.T) {
	const size = 4096
	for _, tt := range []struct {
		record uint64
		kept   uint64
	}{
		{16, 16}, {504, 504}, {512, 0}, {1920, 0},
	} {
		r := fakeRing(t, size)
		var rec Record
		for range 2 * busyBatch {
			r.produce(tt.record)
			if err := r.next(&rec); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.pause(); err != nil {
			t.Fatal(err)
		}
		if kept := r.mem.Producer.Load() - r.mem.Consumer.Load(); kept != tt.kept {
			t.Errorf("records of %d bytes: %d bytes are kept, want %d", tt.record, kept, tt.kept)
		}
	}
}

// TestPauseFitsTheBuffer lets programs ask for shorter pauses: they never become ones
// in which more comes in than there is room for.
func TestPauseFitsTheBuffer(t *testing.T) {
	r := fakeRing(t, 4096)
	for range 3 {
		r.waiter.Wake()
		r.batchSince, r.pos = time.Now(), r.pos+16
		if err := r.breathe(); err != nil {
			t.Fatal(err)
		}
		if r.fill > maxFill(4096) {
			t.Errorf("%d bytes are let come in, want at most %d", r.fill, maxFill(4096))
		}
	}
}
