package uring

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/internal/testkit/stream"
)

// patience is how long to wait for what should come at once.
const patience = 20 * time.Second

// session is a pair that is forwarded, and what lies at both ends of it.
type session struct {
	client, backend *net.TCPConn
	pair            *engine.Pair
	result          chan engine.End
}

func start(t *testing.T, e *Engine) *session {
	t.Helper()
	s := &session{result: make(chan engine.End, 1)}
	var in, out *net.TCPConn
	s.client, in = stream.Connect(t)
	out, s.backend = stream.Connect(t)
	s.pair = engine.NewPair(in, out)
	go func() {
		end := e.Forward(s.pair)
		in.Close()
		out.Close()
		s.result <- end
	}()
	return s
}

// abort ends the session.
func (s *session) abort(t *testing.T) {
	t.Helper()
	s.pair.Abort(engine.Shutdown)
	if end := s.wait(t); end.Cause != engine.Shutdown {
		t.Errorf("got %+v, want %q", end, engine.Shutdown)
	}
}

func (s *session) wait(t *testing.T) engine.End {
	t.Helper()
	select {
	case end := <-s.result:
		return end
	case <-time.After(patience):
		t.Fatal("Forward does not return")
		panic("unreachable")
	}
}

func (s *session) speak(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(s.client, text); err != nil {
		t.Fatal(err)
	}
	_ = s.backend.SetReadDeadline(time.Now().Add(patience))
	got := make([]byte, len(text))
	if n, err := io.ReadFull(s.backend, got); err != nil || string(got) != text {
		t.Fatalf("got %q, %v, want %q", got[:n], err, text)
	}
}

// fill writes until nothing goes in any more.
func (s *session) fill(t *testing.T) {
	for {
		_ = s.client.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		_, err := s.client.Write(make([]byte, 64<<10))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		if err != nil {
			t.Error(err)
			return
		}
	}
}

// TestBlocked: pairs whose backends don't read hold a few buffers each, and the
// others have enough. When all have ended, all buffers are back.
func TestBlocked(t *testing.T) {
	e := open(t, Options{Rings: 1})
	defer e.Close()
	blocked := make([]*session, 2*batch/largeBuffer)
	for i := range blocked {
		blocked[i] = start(t, e)
		for _, c := range []*net.TCPConn{blocked[i].pair.Backend, blocked[i].backend, blocked[i].pair.Client} {
			_ = c.SetReadBuffer(64 << 10)
			_ = c.SetWriteBuffer(64 << 10)
		}
		_ = blocked[i].client.SetWriteBuffer(64 << 10)
	}
	var filling sync.WaitGroup
	for _, s := range blocked {
		filling.Go(func() { s.fill(t) })
	}
	filling.Wait()
	free := start(t, e)
	for range 100 {
		free.speak(t, "there is room")
	}
	free.speak(t, strings.Repeat("much ", 10_000))
	small, large := e.shards[0].inUse()
	// Before Linux 6.8 the kernel goes on receiving as long as something comes.
	if held := small*smallBuffer + large*largeBuffer; held == 0 || large > len(blocked) || held > len(blocked)<<20 {
		t.Errorf("%d pairs hold %d small buffers and %d large ones", len(blocked), small, large)
	}
	free.abort(t)
	for _, s := range blocked {
		s.abort(t)
	}
	if small, large := e.shards[0].inUse(); small != 0 || large != 0 {
		t.Errorf("%d small buffers and %d large ones have not come back", small, large)
	}
}

// inUse asks the thread how many buffers the kernel has not got.
func (s *shard) inUse() (small, large int) {
	done := make(chan struct{})
	s.tell(func() {
		small, large = s.small.inUse(), s.large.inUse()
		close(done)
	})
	<-done
	return small, large
}

func (b *buffers) inUse() int { return len(b.batches)*batch/b.size - b.free }

func TestRefusesWhenFull(t *testing.T) {
	e := open(t, Options{Rings: 1, MaxPairs: 1})
	defer e.Close()
	first := start(t, e)
	first.speak(t, "there")
	second := start(t, e)
	if r, ok := second.wait(t).Refused(); !ok || r.Reason != "ring full" {
		t.Errorf("got %v", r)
	}
	first.abort(t)
	third := start(t, e)
	third.speak(t, "there")
	third.abort(t)
}

// TestAbortLate aborts pairs that have ended, before and after the engine has.
func TestAbortLate(t *testing.T) {
	e := open(t, Options{})
	s := start(t, e)
	s.speak(t, "there")
	_, _ = s.client.CloseWrite(), s.backend.CloseWrite()
	if end := s.wait(t); end.Err != nil {
		t.Error(end.Err)
	}
	s.pair.Abort(engine.Shutdown)
	other := start(t, e)
	other.speak(t, "there")
	other.abort(t)
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	s.pair.Abort(engine.Shutdown)
}

func TestRefusals(t *testing.T) {
	for errno, want := range map[unix.Errno]string{
		unix.ENOSYS: "no io_uring: the kernel was built without it",
		unix.EINVAL: "kernel too old: io_uring can do too little before Linux 6.1",
		unix.ENOMEM: "no io_uring: cannot allocate memory",
	} {
		err := refusal(errno)
		if err.Error() != want || !errors.As(err, new(*engine.Refusal)) {
			t.Errorf("%v: got %v", errno, err)
		}
	}
}

// TestForbidden makes a ring on a thread with a seccomp filter, as containers have it.
func TestForbidden(t *testing.T) {
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		if err := forbid(unix.SYS_IO_URING_SETUP); err != nil {
			result <- err
			return
		}
		r, err := newRing(requests, completions)
		if err == nil {
			r.close()
			err = errors.New("the filter has no effect")
		}
		result <- err
	}()
	err := <-result
	var refusal *engine.Refusal
	if !errors.As(err, &refusal) || refusal.Reason != "io_uring forbidden" {
		t.Errorf("got %v", err)
	}
}

// forbid makes a system call fail for this thread.
func forbid(call uint32) error {
	const number = 0 // its offset in struct seccomp_data
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: number},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: call, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0)
}
