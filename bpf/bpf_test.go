package bpf_test

import (
	"math/bits"
	"sync"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/bpftest"
	"github.com/waggle-bpf/waggle/bpf/trace"
)

// embedded is a tracepoint's context.
type embedded struct {
	trace.Common
	N int64
}

func TestAtomics(t *testing.T) {
	a, b := int32(-5), uint64(1<<40)
	check := func(name string, got, want uint64) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %d, want %d", name, int64(got), int64(want))
		}
	}
	minus := func(n int64) uint64 { return uint64(n) }
	check("add returns the old value", uint64(int64(bpf.AtomicAdd(&a, 3))), minus(-5))
	check("add", uint64(int64(a)), minus(-2))
	check("add 64", bpf.AtomicAdd(&b, 1), 1<<40)
	check("and", bpf.AtomicAnd(&b, 1<<40|3), 1<<40+1)
	check("or", bpf.AtomicOr(&b, 4), 1<<40+1)
	check("xor", bpf.AtomicXor(&b, 1), 1<<40+5)
	check("xchg", bpf.AtomicExchange(&b, 9), 1<<40+4)
	check("cmpxchg that fails", bpf.AtomicCompareExchange(&b, 8, 1), 9)
	check("cmpxchg", bpf.AtomicCompareExchange(&b, 9, 1), 9)
	check("value", b, 1)
	check("and 32", uint64(int64(bpf.AtomicAnd(&a, 6))), minus(-2))
	check("or 32", uint64(bpf.AtomicOr(&a, 1)), 6)
	check("xor 32", uint64(bpf.AtomicXor(&a, 3)), 7)
	check("xchg 32", uint64(bpf.AtomicExchange(&a, -1)), 4)
	check("cmpxchg 32", uint64(int64(bpf.AtomicCompareExchange(&a, -1, 8))), minus(-1))
	check("value 32", uint64(a), 8)
}

func TestByteOrder(t *testing.T) {
	if got := bpf.BE16(0x0008).Host(); got != 0x0800 {
		t.Errorf("BE16: %#x", got)
	}
	for _, v := range []uint64{0, 1, 0x0123456789abcdef} {
		if got := bpf.ToBE64(v); uint64(got) != bits.ReverseBytes64(v) || got.Host() != v {
			t.Errorf("ToBE64(%#x) = %#x", v, got)
		}
		if got := bpf.ToBE32(uint32(v)); uint32(got) != bits.ReverseBytes32(uint32(v)) || got.Host() != uint32(v) {
			t.Errorf("ToBE32(%#x) = %#x", uint32(v), got)
		}
		if got := bpf.ToBE16(uint16(v)); uint16(got) != bits.ReverseBytes16(uint16(v)) || got.Host() != uint16(v) {
			t.Errorf("ToBE16(%#x) = %#x", uint16(v), got)
		}
	}
}

func TestTask(t *testing.T) {
	k := bpftest.New(t)
	k.SetTask(bpftest.Task{PID: 10, TID: 11, UID: 12, GID: 13, Comm: "a name that is too long", CgroupID: 14})
	if bpf.CurrentPID() != 10 || bpf.CurrentTID() != 11 || bpf.GetCurrentUidGid() != 13<<32|12 || bpf.GetCurrentCgroupID() != 14 {
		t.Error("wrong IDs")
	}
	comm := [16]byte{15: 'x'}
	bpf.GetCurrentComm(&comm)
	if string(comm[:]) != "a name that is \x00" {
		t.Errorf("comm %q", comm)
	}
	start := bpf.KtimeGetNS()
	k.Advance(3 * time.Second)
	if got := bpf.KtimeGetNS() - start; got != 3e9 {
		t.Errorf("clock moved by %d ns", got)
	}
	if first, second := bpf.GetPrandomU32(), bpf.GetPrandomU32(); first == second {
		t.Error("random numbers repeat")
	}
}

func TestLog(t *testing.T) {
	k := bpftest.New(t)
	bpf.Log("port %d of %x", 80, 0xab)
	if log := k.Log(); len(log) != 1 || log[0] != "port 80 of ab" {
		t.Errorf("log %q", log)
	}
	if bpf.Enabled(bpf.LevelDebug) || !bpf.Enabled(bpf.LevelInfo) {
		t.Error("the default level is not info")
	}
}

func TestSpinLock(t *testing.T) {
	var l bpf.SpinLock
	var all sync.WaitGroup
	n := 0
	for range 4 {
		all.Go(func() {
			for range 100 {
				l.Lock()
				n++
				l.Unlock()
			}
		})
	}
	if all.Wait(); n != 400 {
		t.Errorf("counted to %d of 400", n)
	}
	defer func() {
		if recover() == nil {
			t.Error("second Unlock went through")
		}
	}()
	l.Unlock()
}

func TestErrno(t *testing.T) {
	for e, want := range map[bpf.Errno]string{bpf.OK: "OK", 5: "OK", bpf.EEXIST: "EEXIST", -200: "errno 200"} {
		if e.String() != want || e.Ok() != (want == "OK") {
			t.Errorf("%d: %s", e, e)
		}
	}
}

func TestCsumDiff(t *testing.T) {
	bpftest.New(t)
	if got := bpf.CsumDiff([]byte{1, 2, 3, 4}, []byte{1, 2, 3, 4}, 7); got != 7 {
		t.Errorf("no change: %#x, want the seed", got)
	}
	if got := bpf.CsumDiff([]byte{1}, nil, 0); got != int64(bpf.EINVAL) {
		t.Errorf("odd length: %d", got)
	}
}

func TestSockState(t *testing.T) {
	for s, want := range map[bpf.SockState]string{0: "UNKNOWN", 1: "ESTABLISHED", 12: "NEW_SYN_RECV", 13: "UNKNOWN"} {
		if s.String() != want {
			t.Errorf("%d: %s, want %s", uint32(s), s, want)
		}
	}
}
