package httpwatch

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/bpftest"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/tc"
	"github.com/waggle-bpf/waggle/httpwatch/kern"
)

// rig is both halves, the kernel half run natively: packets go in, requests come
// out.
type rig struct {
	t    testing.TB
	k    *bpftest.Kernel
	w    *watcher
	prog func(*tc.Context) tc.Action
	seen []string // "METHOD TARGET" of every request
	last Request
	sent int // payload bytes that the kernel half has sent
	// deaf says that user space is not reading.
	deaf bool
}

func newRig(t testing.TB) *rig {
	r := &rig{t: t, k: bpftest.New(t), prog: kern.WatchEthernet}
	r.restart(t)
	return r
}

// restart begins anew, for a subtest.
func (r *rig) restart(t testing.TB) {
	r.k.Reset()
	r.t, r.seen, r.sent, r.deaf = t, nil, 0, false
	r.w = newWatcher(r, simVerdicts{}, 1000)
}

// Request implements Sink.
func (r *rig) Request(q *Request) error {
	r.seen = append(r.seen, fmt.Sprintf("%s %s", q.Method, q.Target))
	r.last = *q
	return nil
}

func (r *rig) Flush() error { return nil }

// simVerdicts writes to the simulated kernel's map.
type simVerdicts struct{}

func (simVerdicts) Put(f kern.Flow, v kern.Verdict) error {
	if errno := kern.Verdicts.Update(f, v, bpf.Any); errno != bpf.OK {
		return fmt.Errorf("update: %v", errno)
	}
	return nil
}

// packet lets a packet pass.
func (r *rig) packet(in bpftest.Input, set ...func(*tc.Context)) {
	r.t.Helper()
	r.k.Advance(time.Microsecond)
	if got := r.k.TC(r.prog, in, set...).Verdict; got != tc.Next {
		r.t.Fatalf("verdict %v", got)
	}
	if !r.deaf {
		r.read()
	}
}

// read gives user space what the kernel half has sent.
func (r *rig) read() {
	for _, rec := range bpftest.Events(r.k, &kern.Events) {
		r.sent += int(rec.Len)
		r.w.record(&rec.Header, rec.Data[:rec.Len])
	}
}

// want compares the requests seen since the last time.
func (r *rig) want(requests ...string) {
	r.t.Helper()
	if diff := cmp.Diff(requests, r.seen); diff != "" {
		r.t.Errorf("requests (-want +got):\n%s", diff)
	}
	r.seen = nil
}

// wire is one TCP connection, as packets from the client; the server's come from
// reverse.
type wire struct {
	r      *rig
	packet bpftest.Packet // addresses, tags, options
	seq    uint32         // of the next byte
}

const (
	clientAddr = "10.0.0.1:40000"
	serverAddr = "10.0.0.2:80"
)

// connect makes a connection; the packets that open it pass.
func (r *rig) connect() *wire {
	w := r.attached()
	w.syn()
	return w
}

// attached makes a connection that is there already.
func (r *rig) attached() *wire {
	return &wire{r: r, packet: bpftest.Packet{Src: clientAddr, Dst: serverAddr}, seq: 1000}
}

func (w *wire) reverse() *wire {
	p := w.packet
	p.Src, p.Dst = p.Dst, p.Src
	return &wire{r: w.r, packet: p, seq: 5000}
}

// syn lets the handshake pass, from both sides.
func (w *wire) syn() {
	p := w.packet
	p.Flags, p.Seq = packet.SYN, w.seq
	w.r.packet(p)
	w.seq++
	back := w.reverse().packet
	back.Flags, back.Seq = packet.SYN|packet.ACK, 4999
	w.r.packet(back)
}

// at returns the packet with payload at a sequence number.
func (w *wire) at(seq uint32, payload string) bpftest.Packet {
	p := w.packet
	p.Seq, p.Payload = seq, payload
	return p
}

// send sends each piece as a packet.
func (w *wire) send(pieces ...string) {
	w.r.t.Helper()
	for _, s := range pieces {
		w.r.packet(w.at(w.seq, s))
		w.seq += uint32(len(s))
	}
}

// get is a request for a target.
func get(target string) string {
	return "GET " + target + " HTTP/1.1\r\nHost: example.com\r\nUser-Agent: test\r\n\r\n"
}

// put is a request with a body.
func put(target, body string) string {
	return fmt.Sprintf("PUT %s HTTP/1.1\r\nHost: example.com\r\nContent-Length: %d\r\n\r\n%s", target, len(body), body)
}

// inPieces cuts s into pieces of n bytes.
func inPieces(s string, n int) (all []string) {
	for len(s) > n {
		all, s = append(all, s[:n]), s[n:]
	}
	return append(all, s)
}

// trap is a body that looks like requests, of n bytes.
func trap(n int) string {
	const s = "GET /trap HTTP/1.1\r\nHost: trap\r\n\r\n"
	return strings.Repeat(s, n/len(s)+1)[:n]
}
