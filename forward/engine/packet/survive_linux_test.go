package packet

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/forward/engine/packet/kern"
	"github.com/waggle-bpf/waggle/forward/engine/splice"
	"github.com/waggle-bpf/waggle/internal/testkit/command"
	"github.com/waggle-bpf/waggle/load"
)

// forwarder is the smallest program around the engine, for tests that kill it.
func forwarder() {
	listen := flag.String("listen", "127.0.0.1:0", "")
	to := flag.String("to", "", "")
	flag.Parse()
	if err := runForwarder(*listen, *to); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func runForwarder(listen, to string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	e, err := New(Options{Mover: splice.New(splice.Options{}), Linger: 100 * time.Millisecond})
	if err != nil {
		return err
	}
	l, err := (&net.ListenConfig{KeepAlive: -1}).Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { l.Close() })
	fmt.Printf("listening on %v\n", l.Addr())
	var pairs sync.Map
	var work, reports sync.WaitGroup
	reports.Go(func() { report(ctx, e) })
	for {
		client, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			break
		}
		if err != nil {
			return err
		}
		work.Go(func() {
			defer client.Close()
			backend, err := (&net.Dialer{KeepAlive: -1}).Dial("tcp", to)
			if err != nil {
				fmt.Println(err)
				return
			}
			defer backend.Close()
			p := engine.NewPair(client.(*net.TCPConn), backend.(*net.TCPConn))
			p.Note = func() []byte { return []byte("from " + client.RemoteAddr().String()) }
			pairs.Store(p, true)
			defer pairs.Delete(p)
			e.Forward(p)
		})
	}
	pairs.Range(func(p, _ any) bool { p.(*engine.Pair).Abort(engine.Shutdown); return true })
	work.Wait()
	reports.Wait()
	return e.Close()
}

// report prints what the engine has done, when it changes.
func report(ctx context.Context, e *Engine) {
	for last := ""; ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		s, err := e.Stats()
		if err != nil {
			fmt.Println(err)
			return
		}
		now := fmt.Sprintf("linked %d switched %d adopted %d active %d finished %d reset %d",
			s.Linked, s.Switched, s.Adopted, s.Active, s.Finished, s.Reset)
		if now != last {
			fmt.Println(now)
			last = now
		}
	}
}

// talkers are clients that ask and check answers all the time.
type talkers struct {
	t     testing.TB
	conns []net.Conn
	stop  atomic.Bool
	asked atomic.Int64
	work  sync.WaitGroup
}

// echo is a server that answers with what it hears.
func echo(t testing.TB) net.Listener {
	t.Helper()
	return echoAt(t, "127.0.0.1:0")
}

func echoAt(t testing.TB, addr string) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 1000)
				for {
					n, err := c.Read(buf)
					if err != nil {
						return
					}
					if _, err := c.Write(buf[:n]); err != nil {
						return
					}
				}
			}()
		}
	}()
	return l
}

// talk starts n talkers.
func talk(t testing.TB, addr string, n int) *talkers {
	t.Helper()
	ts := &talkers{t: t}
	for range n {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		ts.conns = append(ts.conns, c)
		ts.work.Go(func() { ts.talk(c) })
	}
	return ts
}

func (ts *talkers) talk(c net.Conn) {
	for i := 0; !ts.stop.Load(); i++ {
		want := fmt.Sprintf("%v %d", c.LocalAddr(), i)
		c.SetDeadline(time.Now().Add(15 * time.Second))
		got := make([]byte, len(want))
		if _, err := io.WriteString(c, want); err != nil {
			ts.t.Errorf("question %d: %v", i, err)
			return
		}
		if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
			ts.t.Errorf("said %q, heard %q: %v", want, got, err)
			return
		}
		ts.asked.Add(1)
		time.Sleep(time.Duration(*crowded) * 100 * time.Microsecond)
	}
}

// more waits until the talkers have asked n more questions.
func (ts *talkers) more(n int) {
	ts.t.Helper()
	until := ts.asked.Load() + int64(n)
	for deadline := time.Now().Add(20 * time.Second); ts.asked.Load() < until; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) || ts.t.Failed() {
			ts.t.Fatal("the talkers have stopped")
		}
	}
}

// end closes all connections in good order.
func (ts *talkers) end() {
	ts.t.Helper()
	ts.stop.Store(true)
	ts.work.Wait()
	for _, c := range ts.conns {
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			ts.t.Error(err)
		}
		c.SetDeadline(time.Now().Add(15 * time.Second))
		if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			ts.t.Errorf("at the end: %d bytes, %v", n, err)
		}
		c.Close()
	}
}

// crowded is how many connections the tests have at a time. They talk less when there
// are more.
var crowded = flag.Int("crowd", 50, "connections in the tests that end forwarders")

// TestKill kills the forwarder while its spliced connections are busy. They go on,
// and the next forwarder cleans up behind them.
func TestKill(t *testing.T) {
	crowd := *crowded
	server := echo(t)
	first := command.Start(t, "-to", server.Addr().String())
	addr := first.Expect(`listening on (\S+)`)[1]
	ts := talk(t, addr, crowd)
	first.Expect(fmt.Sprintf("switched %d ", crowd))
	first.Kill()
	ts.more(20 * crowd)

	begun := time.Now()
	second := command.Start(t, "-listen", addr, "-to", server.Addr().String())
	second.Expect("listening on")
	second.Expect(fmt.Sprintf("adopted %d ", crowd))
	t.Logf("%d connections adopted within %v; they have asked %d questions", crowd, time.Since(begun), ts.asked.Load())
	more := talk(t, addr, crowd)
	second.Expect(fmt.Sprintf("switched %d ", crowd))
	ts.more(crowd)
	more.more(crowd)
	ts.end()
	more.end()
	second.Expect(fmt.Sprintf("active 0 finished %d reset 0", 2*crowd))
	nothingLeft(t, server.Addr())
	second.Interrupt() // and the leak check finds nothing pinned or attached
}

// nothingLeft waits until the maps and the kernel have nothing of the connections to a
// server any more, although a forwarder still runs.
func nothingLeft(t *testing.T, server net.Addr) {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(DefaultDir, layout+"-net*", "maps"))
	if err != nil || len(dirs) != 1 {
		t.Fatalf("pins: %v, %v", dirs, err)
	}
	flows, err := load.OpenPinnedMap(filepath.Join(dirs[0], "Flows"))
	if err != nil {
		t.Fatal(err)
	}
	defer flows.Close()
	meters, err := load.OpenPinnedMap(filepath.Join(dirs[0], "Meters"))
	if err != nil {
		t.Fatal(err)
	}
	defer meters.Close()
	s, err := openSlots(meters, nobody)
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		left := fmt.Sprintf("%d flows, %d slots, %d ports", countFlows(t, flows), countTaken(s), countPorts(t, server))
		if left == "0 flows, 0 slots, 0 ports" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("left: " + left)
		}
	}
}

func countFlows(t *testing.T, m *ebpf.Map) (n int) {
	t.Helper()
	var tuple kern.Tuple
	var ref kern.Ref
	entries := m.Iterate()
	for entries.Next(&tuple, &ref) {
		n++
	}
	if err := entries.Err(); err != nil {
		t.Fatal(err)
	}
	return n
}

func countTaken(s *slots) (n int) {
	for slot := range s.meters {
		if s.owner(uint32(slot)) != nobody {
			n++
		}
	}
	return n
}

// countPorts counts the connections to a server that are open, such as reservations.
func countPorts(t *testing.T, server net.Addr) int {
	t.Helper()
	b, err := os.ReadFile("/proc/thread-self/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(b), fmt.Sprintf(":%04X 01 ", server.(*net.TCPAddr).Port))
}

// TestUpgrade starts a forwarder beside another one, which then ends and leaves it its
// connections.
func TestUpgrade(t *testing.T) {
	crowd := *crowded
	server := echo(t)
	first := command.Start(t, "-to", server.Addr().String())
	addr := first.Expect(`listening on (\S+)`)[1]
	ts := talk(t, addr, crowd)
	few := talk(t, addr, 5)
	first.Expect(fmt.Sprintf("switched %d ", crowd+5))

	second := command.Start(t, "-to", server.Addr().String())
	more := talk(t, second.Expect(`listening on (\S+)`)[1], crowd)
	second.Expect(fmt.Sprintf("switched %d ", crowd))
	ts.more(crowd)
	few.end() // of which the programs tell the second one
	first.Expect(fmt.Sprintf("active %d finished 5 reset 0", crowd))
	first.Interrupt()
	second.Expect(fmt.Sprintf("adopted %d ", crowd))
	ts.more(crowd)
	more.more(crowd)
	ts.end()
	more.end()
	second.Expect(fmt.Sprintf("active 0 finished %d reset 0", 2*crowd))
	second.Interrupt()
}

// TestChain splices through two forwarders on one machine.
func TestChain(t *testing.T) {
	server := echo(t)
	near := command.Start(t, "-to", server.Addr().String())
	far := command.Start(t, "-to", near.Expect(`listening on (\S+)`)[1])
	ts := talk(t, far.Expect(`listening on (\S+)`)[1], 3)
	near.Expect("switched 3 ")
	far.Expect("switched 3 ")
	ts.more(100)
	ts.end()
	near.Expect("active 0 finished 3 reset 0")
	far.Expect("active 0 finished 3 reset 0")
	near.Interrupt()
	far.Interrupt()
}
