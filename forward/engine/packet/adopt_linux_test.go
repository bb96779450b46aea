package packet

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/forward/engine/splice"
	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/command"
)

// TestAdopt takes over the pairs of a forwarder that was killed: their caller learns
// what they are, what passes, and how they end.
func TestAdopt(t *testing.T) {
	testkit.RequireRoot(t)
	for _, host := range []string{"127.0.0.1", "::1"} {
		t.Run(host, func(t *testing.T) { testAdopt(t, host) })
	}
}

func testAdopt(t *testing.T, host string) {
	server := echoAt(t, net.JoinHostPort(host, "0"))
	first := command.Start(t, "-listen", net.JoinHostPort(host, "0"), "-to", server.Addr().String())
	addr := first.Expect(`listening on (\S+)`)[1]
	ts := talk(t, addr, 3)
	first.Expect("switched 3 ")
	ts.more(30)
	first.Kill()
	ts.stop.Store(true)
	ts.work.Wait()

	e, err := New(Options{Mover: splice.New(splice.Options{})})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}()
	adopted := map[string]engine.Adoption{}
	for _, a := range e.Adopt() {
		adopted[a.Client.String()] = a
	}
	if len(adopted) != 3 || len(e.Adopt()) != 0 {
		t.Fatalf("adopted %v, want 3, once", adopted)
	}
	ends := map[string]chan engine.End{}
	for _, c := range ts.conns {
		from := c.LocalAddr().String()
		a := adopted[from]
		if a.Pair == nil {
			t.Fatalf("the connection of %s was not adopted: %v", from, adopted)
		}
		checkAdoption(t, a, addr, server.Addr().String())
		end := make(chan engine.End, 1)
		ends[from] = end
		go func() { end <- e.Forward(a.Pair) }()
	}

	gone, closed, left := ts.conns[0], ts.conns[1], ts.conns[2]
	abortAdopted(t, gone, adopted[gone.LocalAddr().String()], ends[gone.LocalAddr().String()])
	closeAdopted(t, closed, adopted[closed.LocalAddr().String()], ends[closed.LocalAddr().String()])

	leaveAdopted(t, e, left, adopted[left.LocalAddr().String()], ends[left.LocalAddr().String()])
}

// checkAdoption looks at what is known of an adopted pair whose talker is silent. An echo
// moves as much back.
func checkAdoption(t *testing.T, a engine.Adoption, local, backend string) {
	t.Helper()
	if a.Local.String() != local || a.Backend.String() != backend {
		t.Errorf("adopted a pair from %v to %v, want %s to %s", a.Local, a.Backend, local, backend)
	}
	if note := "from " + a.Client.String(); string(a.Note) != note {
		t.Errorf("noted %q, want %q", a.Note, note)
	}
	if s := a.Pair.State(); s != (engine.State{Engine: Name, Why: "adopted"}) {
		t.Errorf("it is with %v", s)
	}
	if up, down := a.Pair.Moved(engine.Up), a.Pair.Moved(engine.Down); up != down || up == 0 {
		t.Errorf("moved %d up, %d down", up, down)
	}
	if ago := time.Since(a.Active); ago < 0 || ago > time.Minute {
		t.Errorf("active %v ago", ago)
	}
}

// abortAdopted: both ends of an adopted pair that is aborted get a reset.
func abortAdopted(t *testing.T, c net.Conn, a engine.Adoption, ended chan engine.End) {
	t.Helper()
	a.Pair.Abort(engine.IdleTimeout)
	if end := <-ended; end != (engine.End{Cause: engine.IdleTimeout}) {
		t.Error(end)
	}
	c.SetDeadline(time.Now().Add(15 * time.Second))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read %v, want a reset", err)
	}
}

// closeAdopted: an adopted pair ends when its ends want it, and every byte is counted.
func closeAdopted(t *testing.T, c net.Conn, a engine.Adoption, ended chan engine.End) {
	t.Helper()
	before := a.Pair.Moved(engine.Up)
	ping(t, c, "hello")
	if moved := a.Pair.Moved(engine.Up); moved != before+5 {
		t.Errorf("moved %d bytes more, want 5", moved-before)
	}
	c.(*net.TCPConn).CloseWrite()
	if end := <-ended; end != (engine.End{Cause: engine.ClientClosed}) {
		t.Error(end)
	}
	if !a.Pair.Ended(engine.Up) || !a.Pair.Ended(engine.Down) {
		t.Error("the ends are not marked")
	}
}

// leaveAdopted: a pair that is left to the next process goes on, and that process will
// tell what is moved then.
func leaveAdopted(t *testing.T, e *Engine, c net.Conn, a engine.Adoption, ended chan engine.End) {
	t.Helper()
	p := e.find(a.Pair)
	a.Pair.Abort(engine.Shutdown)
	if end := <-ended; end != (engine.End{Cause: engine.Shutdown}) {
		t.Error(end)
	}
	told := a.Pair.Moved(engine.Up)
	ping(t, c, "still there")
	if now := a.Pair.Moved(engine.Up); now != told {
		t.Errorf("told %d bytes, now %d", told, now)
	}
	if rest := p.meter.Bytes[engine.Up] + p.meter.Before[engine.Up]; rest != uint64(len("still there")) {
		t.Errorf("%d bytes are left to tell", rest)
	}
	p.meter.Abort = 1 // because there is no next one
	if err := p.tuples.reset(); err != nil {
		t.Error(err)
	}
	e.remove(p)
}

// ping sends something and waits for its echo.
func ping(t *testing.T, c net.Conn, text string) {
	t.Helper()
	c.SetDeadline(time.Now().Add(15 * time.Second))
	got := make([]byte, len(text))
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, got); err != nil || string(got) != text {
		t.Fatalf("said %q, heard %q: %v", text, got, err)
	}
}
