package packet

import (
	"io"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/forward/engine/packet/kern"
	"github.com/waggle-bpf/waggle/forward/engine/splice"
	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/command"
	"github.com/waggle-bpf/waggle/internal/testkit/stream"
)

func TestMain(m *testing.M) { command.Main(m, forwarder) }

// open returns an engine that is to be closed.
func open(t testing.TB, o Options) *Engine {
	t.Helper()
	testkit.RequireRoot(t)
	o.Mover, o.NoPersist = splice.New(splice.Options{}), true
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func start(t testing.TB) *Engine { return startWith(t, Options{}) }

func startWith(t testing.TB, o Options) *Engine {
	t.Helper()
	e := open(t, o)
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

// connect returns a client, a backend and the pair between them.
func connect(t *testing.T) (client, backend *net.TCPConn, p *engine.Pair) {
	t.Helper()
	client, near := tcpPair(t)
	far, backend := tcpPair(t)
	return client, backend, engine.NewPair(near, far)
}

// tcpPair returns both ends of a connection.
func tcpPair(t *testing.T) (dialled, accepted *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	a, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []net.Conn{c, a} {
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(20 * time.Second))
	}
	return c.(*net.TCPConn), a.(*net.TCPConn)
}

// run forwards a pair until it has ended.
func run(t *testing.T, e *Engine, p *engine.Pair) (ended chan engine.End) {
	t.Helper()
	ended = make(chan engine.End, 1)
	go func() {
		end := e.Forward(p)
		p.Client.Close()
		p.Backend.Close()
		ended <- end
	}()
	return ended
}

// TestStayed: pairs that can't be spliced are carried, and told of with the reason.
func TestStayed(t *testing.T) {
	var mu sync.Mutex
	var told []string
	e := startWith(t, Options{Stayed: func(reason string) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, reason)
	}})
	// Without a single slot no pair is watched.
	var slots []uint32
	for slot, ok := e.slots.take(); ok; slot, ok = e.slots.take() {
		slots = append(slots, slot)
	}
	client, backend, p := connect(t)
	ended := run(t, e, p)
	for range 5 {
		exchange(t, client, backend, 100)
		exchange(t, backend, client, 100)
	}
	for _, slot := range slots {
		e.slots.give(slot)
	}
	client.Close()
	backend.Close()
	<-ended
	mu.Lock()
	defer mu.Unlock()
	if want := "table of pairs full"; !slices.Contains(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

// TestRequests asks and answers on many connections. Nearly all are spliced by their
// third request.
func TestRequests(t *testing.T) {
	e := start(t)
	const pairs, soon, requests = 200, 3, 10
	early := 0
	var ended []chan engine.End
	for range pairs {
		client, backend, p := connect(t)
		ended = append(ended, run(t, e, p))
		for i := range requests {
			exchange(t, client, backend, 100)
			exchange(t, backend, client, 3000)
			if i == soon-1 && e.find(p).spliced() {
				early++
			}
		}
		client.Close()
		if n, err := io.Copy(io.Discard, backend); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		backend.Close()
		t.Cleanup(func() {
			if up, down := p.Moved(engine.Up), p.Moved(engine.Down); up != requests*100 || down != requests*3000 {
				t.Errorf("moved %d up, %d down", up, down)
			}
		})
	}
	for _, ended := range ended {
		if end := <-ended; end != (engine.End{Cause: engine.ClientClosed}) {
			t.Error(end)
		}
	}
	t.Logf("%d of %d spliced by request %d", early, pairs, soon)
	if early < pairs*99/100 {
		t.Errorf("only %d of %d were spliced by request %d", early, pairs, soon)
	}
}

// exchange sends n bytes.
func exchange(t *testing.T, from, to *net.TCPConn, n int) {
	t.Helper()
	b := make([]byte, n)
	if _, err := from.Write(b); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(to, b); err != nil {
		t.Fatal(err)
	}
}

// find returns what the engine knows of a pair; an empty pair if it is not linked.
func (e *Engine) find(conn *engine.Pair) *pair {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range slices.AppendSeq(slices.Clone(e.leaving), maps.Values(e.pairs)) {
		if p.conn == conn {
			return p
		}
	}
	return &pair{meter: &kern.Meter{}}
}

// TestUploads sends without a pause. Nearly all uploads are spliced within
// a moment.
func TestUploads(t *testing.T) {
	e := start(t)
	const pairs, soon = 20, time.Second // a fifth of that where nothing else runs
	early := 0
	for seed := range uint64(pairs) {
		client, backend, p := connect(t)
		ended := run(t, e, p)
		script := stream.Script{Seed: seed, Client: stream.Side{Size: 64 << 20}, Server: stream.Side{EndAt: stream.AfterEnd}}
		begun := monotonic()
		if err := script.Run(client, backend, 20*time.Second); err != nil {
			t.Error(err)
		}
		if m := e.find(p).meter; m.Switched != 0 && time.Duration(m.Switched)-begun < soon {
			early++
		}
		client.Close()
		backend.Close()
		<-ended
	}
	t.Logf("%d of %d spliced within %v", early, pairs, soon)
	if early < pairs*9/10 {
		t.Errorf("only %d of %d were spliced within %v", early, pairs, soon)
	}
}
