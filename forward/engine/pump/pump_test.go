package pump_test

import (
	"errors"
	"io"
	"net"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/forward/engine/copy"
	"github.com/waggle-bpf/waggle/forward/engine/pump"
	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/stream"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const patience = 20 * time.Second

// rig is a pair with what lies at both ends of it.
type rig struct {
	client, server *net.TCPConn
	pair           *engine.Pair
	end            chan engine.End
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{end: make(chan engine.End, 1)}
	var in, out *net.TCPConn
	r.client, in = stream.Connect(t)
	out, r.server = stream.Connect(t)
	r.pair = engine.NewPair(in, out)
	return r
}

// run pumps and then closes the pair's connections.
func (r *rig) run(o pump.Options) {
	go func() {
		end := runOnce(r.pair, o)
		r.pair.Client.Close()
		r.pair.Backend.Close()
		r.end <- end
	}()
}

func runOnce(p *engine.Pair, o pump.Options) engine.End {
	b := copy.NewBuffers(copy.ChunkSize)
	return pump.Run(p, o, [2]pump.Mover{copy.NewMover(b), copy.NewMover(b)})
}

func (r *rig) wait(t *testing.T) engine.End {
	t.Helper()
	select {
	case end := <-r.end:
		return end
	case <-time.After(patience):
		t.Fatal("the pump does not end")
		panic("unreachable")
	}
}

func (r *rig) wants(t *testing.T, cause engine.Cause) {
	t.Helper()
	if end := r.wait(t); end.Cause != cause {
		t.Errorf("got cause %q (%v), want %q", end.Cause, end.Err, cause)
	}
}

// wantsReset reads until the connection's end, which has to be a reset, and
// returns what came before.
func wantsReset(t *testing.T, c *net.TCPConn) []byte {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	b, err := io.ReadAll(c)
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("after %d bytes got end %v, want a reset", len(b), err)
	}
	return b
}

func send(t *testing.T, c *net.TCPConn, s string) {
	t.Helper()
	if _, err := c.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, c *net.TCPConn, s string) {
	t.Helper()
	b := make([]byte, len(s))
	_ = c.SetReadDeadline(time.Now().Add(patience))
	if _, err := io.ReadFull(c, b); err != nil || string(b) != s {
		t.Fatalf("got %q and %v, want %q", b, err, s)
	}
}

func TestReset(t *testing.T) {
	t.Run("client", func(t *testing.T) {
		r := newRig(t)
		r.run(pump.Options{})
		send(t, r.client, "before")
		expect(t, r.server, "before")
		_ = r.client.SetLinger(0)
		r.client.Close()
		wantsReset(t, r.server)
		r.wants(t, engine.ClientReset)
	})
	t.Run("backend, half closed", func(t *testing.T) {
		r := newRig(t)
		r.run(pump.Options{})
		_ = r.client.CloseWrite()
		expect(t, r.server, "")
		if _, err := r.server.Read(make([]byte, 1)); err != io.EOF {
			t.Fatalf("got %v, want the client's end", err)
		}
		_ = r.server.SetLinger(0)
		r.server.Close()
		wantsReset(t, r.client)
		r.wants(t, engine.BackendReset)
	})
}

// TestResetSeenByWriter: the kernel tells of a reset once. If that is the lane that
// writes, the other one sees the end of the stream, which must not become a FIN.
func TestResetSeenByWriter(t *testing.T) {
	r := newRig(t)
	b := copy.NewBuffers(copy.ChunkSize)
	told, ended := make(chan struct{}), make(chan struct{})
	movers := [2]pump.Mover{
		engine.Up:   &slowToTell{copy.NewMover(b), told, ended},
		engine.Down: &secondReader{copy.NewMover(b), 0, told, ended},
	}
	go func() {
		end := pump.Run(r.pair, pump.Options{}, movers)
		r.pair.Client.Close()
		r.pair.Backend.Close()
		r.end <- end
	}()
	send(t, r.client, "one")
	expect(t, r.server, "one")
	_ = r.server.SetLinger(0)
	r.server.Close()
	send(t, r.client, "two")
	wantsReset(t, r.client)
	r.wants(t, engine.BackendReset)
}

// slowToTell meets the reset and keeps it to itself for a while.
type slowToTell struct {
	*copy.Mover
	told, ended chan struct{}
}

func (m *slowToTell) Drain(socket int) (int, error) {
	n, err := m.Mover.Drain(socket)
	if err != nil && err != syscall.EAGAIN {
		close(m.told)
		<-m.ended
		time.Sleep(20 * time.Millisecond) // the other lane draws its conclusions
	}
	return n, err
}

// secondReader reads when the other has been told of the reset.
type secondReader struct {
	*copy.Mover
	calls       int
	told, ended chan struct{}
}

func (m *secondReader) Fill(socket int) (int, error) {
	if m.calls++; m.calls > 1 {
		<-m.told
	}
	n, err := m.Mover.Fill(socket)
	if err != syscall.EAGAIN {
		close(m.ended)
	}
	return n, err
}

// TestLastWords: a backend that answers and closes without having read everything
// resets its connection; the client gets the answer before it learns of that.
func TestLastWords(t *testing.T) {
	r := newRig(t)
	if _, err := r.pair.Backend.Write([]byte("head")); err != nil {
		t.Fatal(err)
	}
	awaitReadable(t, r.server)
	send(t, r.server, "413 too large")
	r.server.Close() // with something to read: a reset
	send(t, r.client, "more")
	r.run(pump.Options{})
	if b := wantsReset(t, r.client); string(b) != "413 too large" {
		t.Errorf("got %q", b)
	}
	r.wants(t, engine.BackendReset)
}

// awaitReadable waits until there is something to read, and leaves it there.
func awaitReadable(t *testing.T, c *net.TCPConn) {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	err = raw.Read(func(fd uintptr) bool {
		n, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		return n > 0 || err != syscall.EAGAIN
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAbort(t *testing.T) {
	r := newRig(t)
	r.run(pump.Options{})
	send(t, r.client, "x")
	expect(t, r.server, "x")
	r.pair.Abort(engine.IdleTimeout)
	wantsReset(t, r.client)
	wantsReset(t, r.server)
	r.wants(t, engine.IdleTimeout)
}

// TestAbortBlocked aborts a pair that waits for both sinks.
func TestAbortBlocked(t *testing.T) {
	r := newRig(t)
	r.run(pump.Options{})
	for _, c := range []*net.TCPConn{r.client, r.server} {
		fillUp(t, c)
	}
	r.pair.Abort(engine.LifetimeTimeout)
	r.wants(t, engine.LifetimeTimeout)
}

// fillUp writes until nothing goes in any more, and returns how much did.
func fillUp(t *testing.T, c *net.TCPConn) (n int) {
	t.Helper()
	for {
		_ = c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		w, err := c.Write(make([]byte, 64<<10))
		n += w
		if err != nil {
			if !errors.Is(err, syscall.EAGAIN) && !isTimeout(err) {
				t.Fatal(err)
			}
			return n
		}
	}
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// TestBackPressure: a reader that doesn't read stops the writer.
func TestBackPressure(t *testing.T) {
	r := newRig(t)
	for _, c := range []*net.TCPConn{r.pair.Client, r.pair.Backend, r.server} {
		_ = c.SetReadBuffer(64 << 10)
		_ = c.SetWriteBuffer(64 << 10)
	}
	_ = r.client.SetWriteBuffer(64 << 10)
	r.run(pump.Options{})
	if n := fillUp(t, r.client); n > 2<<20 {
		t.Errorf("%d bytes went in and nobody read them", n)
	}
	r.pair.Abort(engine.Shutdown)
	r.wants(t, engine.Shutdown)
}

// TestTakeOver wakes a pump between two messages and goes on with another, as an
// engine does that begins with pumping.
func TestTakeOver(t *testing.T) {
	r := newRig(t)
	counters := [2]*atomic.Uint64{new(atomic.Uint64), new(atomic.Uint64)}
	var chunks []uint64
	woken := make(chan engine.End, 1)
	go func() {
		woken <- runOnce(r.pair, pump.Options{Counters: counters, OnChunk: func(d engine.Direction, total uint64) {
			if d == engine.Up {
				chunks = append(chunks, total)
			}
		}})
	}()
	send(t, r.client, "one")
	expect(t, r.server, "one")
	send(t, r.client, "two..")
	expect(t, r.server, "two..")
	r.pair.Wake()
	if end := <-woken; !errors.Is(end.Err, pump.ErrWoken) {
		t.Fatalf("got %+v, want ErrWoken", end)
	}
	if want := []uint64{3, 8}; !slices.Equal(chunks, want) {
		t.Errorf("got chunks that end at %d, want %d", chunks, want)
	}
	if up, down, own := counters[engine.Up].Load(), counters[engine.Down].Load(), r.pair.Moved(engine.Up); up != 8 || down != 0 || own != 0 {
		t.Errorf("counted %d and %d bytes, and %d in the pair, want 8, 0 and 0", up, down, own)
	}

	for _, c := range []*net.TCPConn{r.pair.Client, r.pair.Backend} {
		if err := c.SetDeadline(time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	r.run(pump.Options{})
	script := stream.Script{Seed: 1, Client: stream.Side{Size: 1 << 20}, Server: stream.Side{Size: 1 << 20, EndAt: stream.AfterEnd}}
	if err := script.Run(r.client, r.server, patience); err != nil {
		t.Error(err)
	}
	r.wants(t, engine.ClientClosed)
}

// TestClosedUnderneath: a pump whose connection somebody closes tells it.
func TestClosedUnderneath(t *testing.T) {
	r := newRig(t)
	r.run(pump.Options{})
	send(t, r.client, "x")
	expect(t, r.server, "x")
	r.pair.Backend.Close()
	wantsReset(t, r.client)
	r.wants(t, engine.Failed)
}
