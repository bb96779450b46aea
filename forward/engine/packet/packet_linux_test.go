package packet

import (
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/forward/engine/splice"
	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/command"
)

func TestMain(m *testing.M) { command.Main(m, forwarder) }

// open returns an engine that is to be closed.
func open(t testing.TB) *Engine {
	t.Helper()
	testkit.RequireRoot(t)
	e, err := New(Options{Mover: splice.New(splice.Options{}), NoPersist: true})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func start(t testing.TB) *Engine {
	t.Helper()
	e := open(t)
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

// TestRequests sends requests and answers to and fro until the pair is spliced, and
// some more.
func TestRequests(t *testing.T) {
	e := start(t)
	client, backend, p := connect(t)
	p.Client.SetDeadline(time.Time{})
	p.Backend.SetDeadline(time.Time{})
	done := make(chan engine.End, 1)
	go func() { done <- e.Forward(p); p.Client.Close(); p.Backend.Close() }()
	request, answer := make([]byte, 100), make([]byte, 3000)
	for i := range 50 {
		if _, err := client.Write(request); err != nil {
			t.Fatal(i, err)
		}
		if _, err := io.ReadFull(backend, request); err != nil {
			t.Fatal(i, err)
		}
		if _, err := backend.Write(answer); err != nil {
			t.Fatal(i, err)
		}
		if _, err := io.ReadFull(client, answer); err != nil {
			t.Fatal(i, err)
		}
		if i < 5 {
			s, _ := e.Stats()
			t.Log(i, s.Linked, s.Packets)
		}
	}
	client.Close()
	if n, err := io.Copy(io.Discard, backend); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	backend.Close()
	end := <-done
	s, _ := e.Stats()
	t.Logf("%+v %+v %+v", end, p.State(), s)
	t.Log(p.Moved(engine.Up), p.Moved(engine.Down))
}

// TestBulk sends in both directions without a pause.
func TestBulk(t *testing.T) {
	e := start(t)
	client, backend, p := connect(t)
	p.Client.SetDeadline(time.Time{})
	p.Backend.SetDeadline(time.Time{})
	done := make(chan engine.End, 1)
	go func() { done <- e.Forward(p); p.Client.Close(); p.Backend.Close() }()
	const size = 256 << 20
	type sum struct {
		n   int64
		sum [32]byte
		err error
	}
	send := func(c *net.TCPConn, seed uint64, out chan sum) {
		h := sha256.New()
		r := rand.NewChaCha8([32]byte{byte(seed)})
		n, err := io.Copy(io.MultiWriter(h, c), io.LimitReader(r, size))
		c.CloseWrite()
		out <- sum{n, [32]byte(h.Sum(nil)), err}
	}
	receive := func(c *net.TCPConn, out chan sum) {
		h := sha256.New()
		n, err := io.Copy(h, c)
		out <- sum{n, [32]byte(h.Sum(nil)), err}
	}
	var ch [4]chan sum
	for i := range ch {
		ch[i] = make(chan sum, 1)
	}
	go send(client, 1, ch[0])
	go receive(backend, ch[1])
	go send(backend, 2, ch[2])
	go receive(client, ch[3])
	for i := 0; i < 4; i += 2 {
		a, b := <-ch[i], <-ch[i+1]
		if a.sum != b.sum || a.n != b.n || a.err != nil || b.err != nil {
			t.Errorf("sent %d, received %d, %v %v", a.n, b.n, a.err, b.err)
		}
	}
	end := <-done
	s, _ := e.Stats()
	t.Logf("%+v %+v %+v", end, p.State(), s)
	t.Log(p.Moved(engine.Up), p.Moved(engine.Down))
}
