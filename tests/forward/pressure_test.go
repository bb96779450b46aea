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
	for end := time.Now().Add(scaled(time.Minute, 1500*time.Millisecond)); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
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
drain: 1s
`

// TestSilentClients: clients that connect and say nothing don't slow down those that
// do.
func TestSilentClients(t *testing.T) {
	testkit.RequireRoot(t)
	startEcho(t)
	f := startForwarder(t, headConfig, echoFront)
	silent := silentClients(scaled(50_000, 2000))
	base := slowest(t)
	for i := range silent {
		c, err := net.Dial("tcp4", at(echoFront))
		if err != nil {
			t.Fatalf("silent client %d of %d: %v", i, silent, err)
		}
		defer c.Close()
	}
	const (
		attempts = 5
		noise    = 5 * time.Millisecond // of a machine that does other things, too
	)
	var p99 time.Duration
	for range attempts {
		p99 = slowest(t)
		t.Logf("99th percentile: %v, with %d silent clients %v", base, silent, p99)
		if p99 <= 2*base+noise {
			f.idle(t)
			f.Interrupt()
			return
		}
	}
	t.Errorf("%d silent clients make the 99th percentile %v instead of %v", silent, p99, base)
}

// silentClients is how many clients there can be, of those wanted: each takes a file
// here, and one in the forwarder.
func silentClients(wanted int) int {
	limit := fileLimit()
	const others = 1000
	return min(wanted, limit-others)
}

// slowest lets clients come one after the other, make a round trip and go, and
// returns how long the slowest of a hundred takes.
func slowest(t *testing.T) time.Duration {
	t.Helper()
	times := make([]time.Duration, 500)
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
