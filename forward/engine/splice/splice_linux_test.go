package splice

import (
	"bytes"
	"io"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/stream"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const patience = 20 * time.Second

// forwarding is a pair that an engine forwards.
type forwarding struct {
	client, server *net.TCPConn
	pair           *engine.Pair
	end            chan engine.End
}

func start(t *testing.T, e *Engine) *forwarding {
	t.Helper()
	f := &forwarding{end: make(chan engine.End, 1)}
	var in, out *net.TCPConn
	f.client, in = stream.Connect(t)
	out, f.server = stream.Connect(t)
	f.pair = engine.NewPair(in, out)
	go func() {
		end := e.Forward(f.pair)
		in.Close()
		out.Close()
		f.end <- end
	}()
	return f
}

func (f *forwarding) close(t *testing.T) {
	t.Helper()
	f.client.Close()
	f.server.Close()
	select {
	case <-f.end:
	case <-time.After(patience):
		t.Fatal("Forward does not return")
	}
}

// until waits for a condition.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// TestPipesAreHeldWhileNeeded: a direction whose sink is blocked holds a pipe, an
// idle one holds none.
func TestPipesAreHeldWhileNeeded(t *testing.T) {
	e := New(Options{})
	f := start(t, e)
	held := func() int { s := e.Stats(); return s.Pipes - s.Idle }
	sent := make(chan int)
	go func() {
		n, _ := f.client.Write(make([]byte, 64<<20))
		sent <- n
	}()
	until(t, "the blocked direction holds a pipe", func() bool { return held() == 1 })
	if _, err := io.CopyN(io.Discard, f.server, 64<<20); err != nil {
		t.Fatal(err)
	}
	if n := <-sent; n != 64<<20 {
		t.Errorf("sent %d bytes", n)
	}
	until(t, "the idle connection holds no pipe", func() bool { return held() == 0 })
	if s := e.Stats(); s.Spliced == 0 || s.Copied != 0 {
		t.Errorf("got %+v, want chunks that were spliced", s)
	}
	f.close(t)
	_ = e.Close()
	if s := e.Stats(); s.Pipes != 0 {
		t.Errorf("%d pipes are open after Close", s.Pipes)
	}
}

// TestPipesRunOut: the direction that gets no pipe copies, and that is counted.
func TestPipesRunOut(t *testing.T) {
	e := New(Options{MaxPipes: 1})
	defer e.Close()
	blocked, other := start(t, e), start(t, e)
	go func() { _, _ = blocked.client.Write(make([]byte, 64<<20)) }()
	until(t, "the pipe is taken", func() bool { s := e.Stats(); return s.Pipes == 1 && s.Idle == 0 })

	want := bytes.Repeat([]byte("honey"), 1<<20)
	go func() { _, _ = other.client.Write(want); _ = other.client.CloseWrite() }()
	got, err := io.ReadAll(other.server)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %d bytes and %v, want %d", len(got), err, len(want))
	}
	if s := e.Stats(); s.Copied == 0 || s.Pipes != 1 {
		t.Errorf("got %+v, want copied chunks and one pipe", s)
	}
	blocked.close(t)
	other.close(t)
}

// TestUndeliveredPipeIsClosed: a pipe with somebody's bytes in it must not get to
// the next one.
func TestUndeliveredPipeIsClosed(t *testing.T) {
	e := New(Options{})
	defer e.Close()
	f := start(t, e)
	go func() { _, _ = f.client.Write(make([]byte, 64<<20)) }()
	until(t, "the blocked direction holds a pipe", func() bool { s := e.Stats(); return s.Pipes-s.Idle == 1 })
	f.pair.Abort(engine.IdleTimeout)
	f.close(t)
	for _, p := range e.pipes.idle {
		if n, err := splice(p.r, 1, 1); err == nil {
			t.Errorf("a pipe in the pool had %d bytes", n)
		}
	}
	if s := e.Stats(); s.Pipes != s.Idle {
		t.Errorf("got %+v, want no pipe held", s)
	}
}

// idleCost is how much memory of ours an idle connection may cost, in bytes.
const idleCost = 20 << 10

// TestIdleConnectionsAreCheap measures heap and stacks, both of which hold the
// test's own ends of the connections, too.
func TestIdleConnectionsAreCheap(t *testing.T) {
	const n = 500
	e := New(Options{})
	defer e.Close()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	files := openFiles(t)
	list := make([]*forwarding, n)
	for i := range list {
		list[i] = start(t, e)
		for range 3 {
			if _, err := list[i].client.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			if _, err := list[i].server.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	cost := (after.HeapInuse + after.StackInuse - before.HeapInuse - before.StackInuse) / n
	t.Logf("%d bytes each: heap %d, stacks %d", cost, (after.HeapInuse-before.HeapInuse)/n, (after.StackInuse-before.StackInuse)/n)
	if cost > idleCost {
		t.Errorf("an idle connection costs %d bytes, more than %d", cost, idleCost)
	}
	// Four sockets each, and what the runtime opens for itself.
	if files := openFiles(t) - files; files > 4*n+20 {
		t.Errorf("%d idle connections hold %d files", n, files)
	}
	for _, f := range list {
		f.close(t)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
