//go:build linux

package forward

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/link"
	"github.com/waggle-bpf/waggle/internal/testkit/stream"
)

// course is where conversations go through a forwarder, and how many.
type course struct {
	name    string
	engines []string
	make    func(testing.TB) *field
	volume  int64 // bytes, both ways together
	largest int64 // bytes of a stream
	workers int
	slow    bool // it is spent with waiting, and the engines go in parallel
}

// field is the three parties' network namespaces, nil for that of the test, and the
// addresses that forwarder and backend listen on.
type field struct {
	client, forwarder, backend *testkit.NS
	front, back                netip.Addr
}

// courses are over loopback, over wires between namespaces, and over bad ones: with
// the long volumes, 10 GB for the five engines together.
func courses() []course {
	return []course{
		{"loopback", engines, onLoopback, scaled[int64](1200e6, 16e6), scaled[int64](32<<20, 1<<20), 16, false},
		{"namespaces", engines, onWires, scaled[int64](800e6, 8e6), scaled[int64](32<<20, 1<<20), 16, false},
		{"lossy link", scaled(engines, []string{"packet", "splice"}), onBadLinks,
			scaled[int64](60e6, 10e3), scaled[int64](2<<20, 8<<10), scaled(64, 8), true},
	}
}

func onLoopback(testing.TB) *field {
	a := netip.MustParseAddr("127.0.0.1")
	return &field{front: a, back: a}
}

func onWires(t testing.TB) *field {
	f := &field{client: testkit.NewNS(t), forwarder: testkit.NewNS(t), backend: testkit.NewNS(t)}
	f.front = testkit.NewWire(t, f.client, f.forwarder, 1).B.V6
	f.back = testkit.NewWire(t, f.forwarder, f.backend, 2).B.V6
	return f
}

func onBadLinks(t testing.TB) *field {
	f := &field{client: testkit.NewNS(t), forwarder: testkit.NewNS(t), backend: testkit.NewNS(t)}
	front, back := link.Bad, link.Bad
	back.Seed++
	f.front = link.New(t, f.client, f.forwarder, 1, front).B.V4
	f.back = link.New(t, f.forwarder, f.backend, 2, back).B.V4
	return f
}

func (*field) in(t testing.TB, ns *testkit.NS, f func()) {
	t.Helper()
	if ns == nil {
		f()
		return
	}
	ns.Do(t, f)
}

const integrityConfig = `
listeners:
  in: {address: "FRONT", engine: ENGINE, to: out}
groups:
  out: ["BACK"]
drain: 1s
persist: false
`

// TestIntegrity lets conversations of random shape go through every engine: sizes,
// pauses, half-closes and resets of either side. Every byte is compared, and every
// end has to come as it was made.
//
//	WAGGLE_LONG=1 go test ./tests/forward -run TestIntegrity -v -timeout 1h
func TestIntegrity(t *testing.T) {
	testkit.RequireRoot(t)
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "\tengine\tconnections\tof them reset\tMB\tseconds\tspliced\tfailures\t\n")
	for _, c := range courses() {
		races := make([]*race, len(c.engines))
		t.Run(c.name, func(t *testing.T) {
			for i, engine := range c.engines {
				t.Run(engine, func(t *testing.T) {
					if c.slow {
						t.Parallel()
					}
					races[i] = c.run(t, engine)
				})
			}
		})
		for i, r := range races {
			if r != nil {
				fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%.1f\t%.1f\t%s\t%d\t\n", c.name, c.engines[i],
					r.connections.Load(), r.resets.Load(), float64(r.bytes.Load())/1e6, r.took.Seconds(), r.spliced, r.failures.Load())
			}
		}
	}
	w.Flush()
	t.Logf("\n%s", table.String())
}

// race is the conversations through one forwarder.
type race struct {
	course
	field *field
	front netip.AddrPort
	back  *net.TCPListener

	// Dialing one after the other tells which of the backend's connections belongs
	// to which client.
	dialing sync.Mutex

	connections, resets, bytes, failures atomic.Int64

	took    time.Duration
	spliced string
}

func (c course) run(t *testing.T, engine string) *race {
	r := &race{course: c, field: c.make(t), spliced: "-"}
	r.front = netip.AddrPortFrom(r.field.front, echoFront)
	back := netip.AddrPortFrom(r.field.back, echoPort)
	r.field.in(t, r.field.backend, func() {
		var config net.ListenConfig
		config.SetMultipathTCP(false)
		l, err := config.Listen(context.Background(), "tcp", back.String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		r.back = l.(*net.TCPListener)
	})
	text := strings.NewReplacer("ENGINE", engine, "FRONT", r.front.String(), "BACK", back.String()).Replace(integrityConfig)
	var f *forwarder
	r.field.in(t, r.field.forwarder, func() { f = startForwarder(t, text) })
	f.Expect("listening on")

	start := time.Now()
	var running sync.WaitGroup
	for i := range r.workers {
		running.Go(func() { r.work(t, uint64(i)) })
	}
	running.Wait()
	r.took = time.Since(start)
	if engine == "packet" {
		switched := f.packetStat(t, "switched")
		if r.spliced = fmt.Sprint(switched); switched == 0 && (!c.slow || testkit.Long()) {
			t.Error("the kernel has not taken over a connection")
		}
		f.idle(t)
	}
	f.Interrupt()
	return r
}

// work plays scripts until enough bytes have come, or too much has gone wrong.
func (r *race) work(t *testing.T, seed uint64) {
	const tooMuch = 5
	rng := rand.New(rand.NewPCG(seed, 1))
	for r.bytes.Load() < r.volume && r.failures.Load() < tooMuch {
		s := script(rng, r.largest)
		if err := r.play(t, &s); err != nil {
			r.failures.Add(1)
			t.Errorf("%+v: %v", s, err)
		}
	}
}

// script is a random one. Every eighth has a side that resets the connection.
func script(rng *rand.Rand, largest int64) stream.Script {
	for {
		s := stream.Random(rng, largest)
		if rng.IntN(8) > 0 {
			return s
		}
		[]*stream.Side{&s.Client, &s.Server}[rng.IntN(2)].End = stream.RST
		if s.Check() == nil {
			return s
		}
	}
}

// conversationPatience is how long a conversation may take. Over a bad link a packet
// may have to be sent again and again, after longer and longer times.
const conversationPatience = 5 * time.Minute

func (r *race) play(t *testing.T, s *stream.Script) error {
	client, server, err := r.dial(t)
	if err != nil {
		return err
	}
	defer client.Close()
	defer server.Close()
	deadline := time.Now().Add(conversationPatience)
	var there, here *stream.Outcome
	var ends sync.WaitGroup
	ends.Go(func() { there = s.PlayServer(server, deadline) })
	here = s.PlayClient(client, deadline)
	ends.Wait()
	r.connections.Add(1)
	r.bytes.Add(here.Received + there.Received)
	if !here.Reset.IsZero() || !there.Reset.IsZero() {
		r.resets.Add(1)
	}
	return s.Judge(here, there)
}

func (r *race) dial(t *testing.T) (client, server *net.TCPConn, err error) {
	r.dialing.Lock()
	defer r.dialing.Unlock()
	var c net.Conn
	r.field.in(t, r.field.client, func() { c, err = net.DialTimeout("tcp", r.front.String(), time.Minute) })
	if err != nil {
		return nil, nil, err
	}
	if err := r.back.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return nil, nil, errors.Join(err, c.Close())
	}
	server, err = r.back.AcceptTCP()
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("wait for the connection at the backend: %w", err), c.Close())
	}
	return c.(*net.TCPConn), server, nil
}
