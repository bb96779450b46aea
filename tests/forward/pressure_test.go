//go:build linux

package forward

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

// memory is what a process has for itself, and its share of what it has in common
// with others, in bytes (PSS).
func memory(t *testing.T, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); f[0] == "Pss:" {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Fatal("no Pss in smaps_rollup")
	return 0
}

// TestSlowReaders: fast writers on either side, and readers that take a little now and
// then, at last nothing. What they don't read stays with the writers, but for what fits
// into buffers: those of all sockets on the way are bounded, and so is the forwarder.
//
//	WAGGLE_LONG=1 go test ./tests/forward -run TestSlowReaders -v -timeout 1h
func TestSlowReaders(t *testing.T) {
	testkit.RequireRoot(t)
	ss := testkit.RequireTool(t, "ss")
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "MiB\twritten\tread\ton their way at most\tforwarder's sockets\tforwarder\tgrown by\twriters blocked after\t\n")
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			p := &plug{t: t, ss: ss}
			p.run(engine)
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%.1f\t%.1f\t%d\t\n", engine, p.sent.Load()>>20, p.read.Load()>>20, p.onTheWay>>20, p.sockets>>20,
				float64(p.largest)/(1<<20), float64(p.largest-p.before)/(1<<20), p.blocked>>20)
		})
	}
	w.Flush()
	t.Logf("\n%s", table.String())
}

// plug is streams that are read slowly.
type plug struct {
	t  *testing.T
	ss string

	sent, read      atomic.Int64
	stopped, over   atomic.Bool // the readers, everybody
	running         sync.WaitGroup
	onTheWay        int64 // bytes that were sent and not read, at most
	sockets         int64 // the forwarder's, at most
	before, largest int64 // the forwarder's memory
	blocked         int64 // how much was written when the writers stood still
}

func (p *plug) run(engine string) {
	const (
		streams  = 8
		buffered = 48 << 20 // for each: all sockets' buffers on the way
		own      = 64 << 20 // the forwarder's memory
	)
	t := p.t
	serve(t, echoPort, p.talk)
	f := startForwarder(t, echoVia(engine, "false"), echoFront)
	p.before = memory(t, f.PID())
	for i := range streams {
		c, err := net.Dial("tcp4", at(echoFront))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		p.running.Go(func() { p.call(c.(*net.TCPConn), i%2 == 0) })
	}
	defer p.running.Wait()
	defer p.over.Store(true)
	for end := time.Now().Add(scaled(time.Minute, 700*time.Millisecond)); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		p.look(f.PID())
	}
	// Nobody reads any more.
	p.stopped.Store(true)
	before := int64(-1)
	eventually(t, "the writers to be held", func() bool {
		time.Sleep(300 * time.Millisecond)
		p.look(f.PID())
		p.blocked, before = p.sent.Load(), p.blocked
		return p.blocked == before
	})
	if p.onTheWay > streams*buffered {
		t.Errorf("%d MiB are on their way, more than %d", p.onTheWay>>20, streams*buffered>>20)
	}
	if p.largest-p.before > own {
		t.Errorf("the forwarder has grown by %d MiB, more than %d", (p.largest-p.before)>>20, own>>20)
	}
	if p.read.Load() == 0 {
		t.Error("nothing has come")
	}
	p.over.Store(true)
	p.running.Wait()
	f.Interrupt()
}

// The first byte of a client says who writes.
const (
	upload   = 'u'
	download = 'd'
)

// talk is the server's part of a stream.
func (p *plug) talk(c *net.TCPConn) {
	first := make([]byte, 1)
	if _, err := io.ReadFull(c, first); err != nil {
		return
	}
	p.take(c, first[0] == download)
}

// call is the client's.
func (p *plug) call(c *net.TCPConn, writes bool) {
	first := []byte{download}
	if writes {
		first[0] = upload
	}
	if _, err := c.Write(first); err != nil {
		return
	}
	p.take(c, writes)
	c.Close()
}

// take writes as much as it can, or reads slowly, until all is over.
func (p *plug) take(c *net.TCPConn, writes bool) {
	for buf := make([]byte, 64<<10); !p.over.Load(); {
		_ = c.SetDeadline(time.Now().Add(50 * time.Millisecond))
		var n int
		var err error
		switch {
		case writes:
			n, err = c.Write(buf)
			p.sent.Add(int64(n))
		case p.stopped.Load():
			time.Sleep(50 * time.Millisecond)
		default:
			n, err = c.Read(buf)
			p.read.Add(int64(n))
			time.Sleep(10 * time.Millisecond)
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
	}
}

func (p *plug) look(pid int) {
	p.t.Helper()
	p.onTheWay = max(p.onTheWay, p.sent.Load()-p.read.Load())
	p.largest = max(p.largest, memory(p.t, pid))
	p.sockets = max(p.sockets, p.socketMemory())
}

// queues are what a socket holds, in bytes of memory: for reading, for writing, and in
// its backlog (ss(8)).
var queues = regexp.MustCompile(`skmem:\(r(\d+),.*,w(\d+),.*,bl(\d+),`)

// socketMemory is what the queues of the forwarder's sockets take.
func (p *plug) socketMemory() (sum int64) {
	p.t.Helper()
	filter := fmt.Sprintf("( sport = :%d or dport = :%d )", echoFront, echoPort)
	out, err := exec.Command(p.ss, "-tnmOH", filter).CombinedOutput()
	if err != nil {
		p.t.Fatalf("ss: %v: %s", err, out)
	}
	for _, found := range queues.FindAllSubmatch(out, -1) {
		for _, text := range found[1:] {
			n, err := strconv.ParseInt(string(text), 10, 64)
			if err != nil {
				p.t.Fatal(err)
			}
			sum += n
		}
	}
	return sum
}

// headConfig waits for a client's first byte before it decides.
const headConfig = `
listeners:
  echo:
    address: 127.0.0.1:8007
    engine: auto
    routes: [{prefix: "hex:00", to: echo}]
groups:
  echo: ["127.0.0.1:9007"]
timeouts: {header: 10m}
limits: {per_source: PER_SOURCE}
metrics: 127.0.0.1:8900
drain: 1s
`

// TestSilentClients: clients that connect and say nothing don't slow down those that
// do, and can't take all the room there is: of the 50,000 that come, the forwarder keeps
// as many of each address as it may, and refuses the others.
//
//	WAGGLE_LONG=1 go test ./tests/forward -run TestSilentClients -v
func TestSilentClients(t *testing.T) {
	testkit.RequireRoot(t)
	startEcho(t)
	const sources = 5
	come := scaled(50_000, 2500)
	perSource := silentClients(come*4/5) / sources
	held := sources * perSource
	f := startForwarder(t, strings.ReplaceAll(headConfig, "PER_SOURCE", strconv.Itoa(perSource)), echoFront)
	base, before := slowest(t), memory(t, f.PID())

	start := time.Now()
	var s silence
	defer s.end()
	for i := range sources {
		s.running.Go(func() { s.dial(t, byte(i+1), come/sources) })
	}
	// Who does not fit into the listener's queue has to wait for the kernel to try again
	// after 1, 3, 7, 15, 31 seconds.
	within(t, 2*time.Minute, "the clients to be held or refused", func() bool {
		return s.came.Load() == int64(come) && int(s.refused.Load()) == come-held
	})
	took := time.Since(start)
	if n := metric(t, "waggle_forward_refused_total", `reason="too many connections of one source"`); int(n) != come-held {
		t.Errorf("the metrics tell of %v refused clients, want %d", n, come-held)
	}
	grown := memory(t, f.PID()) - before
	const (
		attempts = 5
		noise    = 5 * time.Millisecond // of a machine that does other things, too
	)
	var p99 time.Duration
	for range attempts {
		if p99 = slowest(t); p99 <= 2*base+noise {
			break
		}
	}
	t.Logf("%d silent clients came in %.1f s, %d were refused; the others take %.1f KiB each; 99th percentile: %v without them, %v with them, %.2fx",
		come, took.Seconds(), s.refused.Load(), float64(grown)/float64(held)/1024, base, p99, float64(p99)/float64(base))
	if p99 > 2*base+noise {
		t.Errorf("%d silent clients make the 99th percentile %v instead of %v", held, p99, base)
	}
	s.end()
	f.idle(t)
	f.Interrupt()
}

// silence is clients that connect and say nothing.
type silence struct {
	running       sync.WaitGroup
	came, refused atomic.Int64

	mu   sync.Mutex
	open map[net.Conn]bool
	over bool
}

// dial lets n clients come from an address of their own.
func (s *silence) dial(t *testing.T, source byte, n int) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, source)}, KeepAlive: -1}
	for range n {
		c, err := dialer.Dial("tcp4", at(echoFront))
		s.came.Add(1)
		switch {
		case errors.Is(err, syscall.ECONNRESET):
			s.refused.Add(1)
			continue
		case err != nil:
			t.Errorf("silent client: %v", err)
			return
		case !s.add(c):
			return
		}
		s.running.Go(func() {
			if _, err := c.Read(make([]byte, 1)); errors.Is(err, syscall.ECONNRESET) {
				s.refused.Add(1)
			}
			s.remove(c)
		})
	}
}

func (s *silence) add(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		c.Close()
		return false
	}
	if s.open == nil {
		s.open = make(map[net.Conn]bool)
	}
	s.open[c] = true
	return true
}

func (s *silence) remove(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.Close()
	delete(s.open, c)
}

func (s *silence) end() {
	s.mu.Lock()
	s.over = true
	for c := range s.open {
		c.Close()
	}
	s.mu.Unlock()
	s.running.Wait()
}

// silentClients is how many clients the forwarder can hold, of those wanted: it reckons
// with two files for each connection, and keeps an eighth of all, and some, for other
// things.
func silentClients(wanted int) int {
	limit := fileLimit()
	const others = 1000
	return min(wanted, (limit*7/8-others)/2)
}

// slowest lets clients come one after the other, make a round trip and go, and
// returns how long the slowest of a hundred takes.
func slowest(t *testing.T) time.Duration {
	t.Helper()
	times := make([]time.Duration, scaled(5000, 500))
	for i := range times {
		start := time.Now()
		k, err := dialTalker(echoFront)
		if err == nil {
			times[i] = time.Since(start)
			err = k.end()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(times)
	return times[len(times)*99/100]
}
