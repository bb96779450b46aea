package httpwatch

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waggle-bpf/waggle/bpf/bpftest"
	"github.com/waggle-bpf/waggle/bpf/packet"
)

// TestRandomTraffic plays many connections at a time over a network that repeats,
// reorders, merges and splits packets and shows them on several interfaces, and wants
// every request exactly once and in order.
func TestRandomTraffic(t *testing.T) {
	seeds := uint64(15)
	if testing.Short() {
		seeds = 4
	}
	r := newRig(t)
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r.restart(t)
			n := newNetwork(seed)
			r.deaf = n.IntN(2) == 0
			n.play(func(p bpftest.Packet) {
				r.k.SetCPU(n.IntN(bpftest.NumCPU))
				r.packet(bpftest.Linear(p, n.IntN(400)))
				if n.IntN(60) == 0 {
					r.read()
				}
			})
			r.read()
			r.w.finish()
			n.compare(t, r.seen)
			if l := r.w.summary.Lost; l.Any() {
				t.Errorf("lost %+v", l)
			}
			if r.w.pool.Used() != 0 {
				t.Errorf("%d bytes still held", r.w.pool.Used())
			}
		})
	}
}

// network makes traffic and knows what is in it.
type network struct {
	*rand.Rand
	flows []*traffic
}

// traffic is what one client will send, in the order in which packets pass.
type traffic struct {
	packets []bpftest.Packet
	want    []string // its requests; nil if it speaks something else
}

func newNetwork(seed uint64) *network {
	n := &network{Rand: rand.New(rand.NewPCG(seed, 5))}
	for i := range 1 + n.IntN(30) {
		n.flows = append(n.flows, n.traffic(i))
	}
	return n
}

// play lets all packets pass.
func (n *network) play(pass func(bpftest.Packet)) {
	for open := slices.Clone(n.flows); len(open) > 0; {
		i := n.IntN(len(open))
		f := open[i]
		if len(f.packets) == 0 {
			open = slices.Delete(open, i, i+1)
			continue
		}
		burst := min(1+n.IntN(3), len(f.packets))
		for _, p := range f.packets[:burst] {
			for range []int{1, 1, 2, 3}[n.IntN(4)] { // on as many interfaces
				p.VLANs = make([]uint16, n.IntN(3))
				pass(p)
			}
		}
		f.packets = f.packets[burst:]
	}
}

// compare compares the requests seen, "METHOD TARGET", with those sent.
func (n *network) compare(t *testing.T, seen []string) {
	t.Helper()
	got := map[string][]string{}
	for _, s := range seen {
		_, target, _ := strings.Cut(s, " ")
		flow, _, _ := strings.Cut(strings.TrimPrefix(target, "/"), "/")
		got[flow] = append(got[flow], s)
	}
	for i, f := range n.flows {
		if diff := cmp.Diff(f.want, got[fmt.Sprint(i)]); diff != "" {
			t.Errorf("flow %d (-sent +seen):\n%s", i, diff)
		}
		delete(got, fmt.Sprint(i))
	}
	if len(got) > 0 {
		t.Errorf("requests that nobody sent: %.500v", got)
	}
}

// traffic makes a connection: with luck of HTTP, from its beginning or not, over IPv4 or
// IPv6.
func (n *network) traffic(id int) *traffic {
	f := &traffic{}
	p := bpftest.Packet{Src: fmt.Sprintf("10.0.0.1:%d", 30_000+id), Dst: serverAddr}
	if n.IntN(2) == 0 {
		p.Src, p.Dst = fmt.Sprintf("[fd00::1]:%d", 30_000+id), "[fd00::2]:80"
	}
	seq := n.Uint32()
	whole := n.IntN(4) > 0
	stream := n.other(whole)
	if n.IntN(5) > 0 {
		stream, f.want = n.requests(id)
	}
	if whole {
		syn := p
		syn.Flags, syn.Seq = packet.SYN, seq-1
		f.packets = append(f.packets, syn, syn)
	}
	for _, c := range n.segments(len(stream), whole) {
		q := p
		q.Seq, q.Payload = seq+uint32(c[0]), stream[c[0]:c[1]]
		f.packets = append(f.packets, q)
	}
	return f
}

// requests makes a stream of requests, with their number in the target.
func (n *network) requests(id int) (stream string, want []string) {
	var b strings.Builder
	for i := range 1 + n.IntN(20) {
		target := fmt.Sprintf("/%d/%d/%s", id, i, strings.Repeat("t", n.IntN(200)*n.IntN(20)))
		method := []string{"GET", "POST", "PUT", "M-SEARCH", "x"}[n.IntN(5)]
		fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: h\r\n", method, target)
		switch n.IntN(4) {
		case 0:
			body := trap(n.IntN(300) * n.IntN(300))
			fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
		case 1:
			b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
			for range n.IntN(4) {
				chunk := trap(1 + n.IntN(100)*n.IntN(1000))
				fmt.Fprintf(&b, "%x;ext\r\n%s\r\n", len(chunk), chunk)
			}
			b.WriteString("0\r\nTrailer: x\r\n\r\n")
		default:
			b.WriteString("\r\n")
		}
		want = append(want, method+" "+target)
	}
	return b.String(), want
}

// other is something that isn't HTTP. If its beginning is seen, it may contain some.
func (n *network) other(whole bool) string {
	start := []string{"\x16\x03\x01", "SSH-2.0-x\r\n", "EHLO x\r\n", "{", "HTTP/1.1 200 OK\r\n\r\n"}[n.IntN(5)]
	start += strings.Repeat("\x00", 50)
	if whole {
		return start + trap(n.IntN(10_000))
	}
	return start + strings.Repeat("some words\n", n.IntN(1000))
}

// segments cuts n bytes into packets, some of them repeated with other boundaries,
// some out of their place, if mix says so. What comes first must be told by a SYN,
// else it has to come first.
func (n *network) segments(size int, mix bool) (cuts [][2]int) {
	longest := []int{1, 20, 536, 1448, 60_000}[n.IntN(5)]
	if size/longest > 3000 {
		longest = 1448
	}
	for at := 0; at < size; {
		to := min(size, at+1+n.IntN(longest))
		if at == 0 && !mix {
			to = max(to, min(size, 20)) // not only half a method
		}
		cuts = append(cuts, [2]int{at, to})
		at = to
	}
	if !mix {
		return cuts
	}
	for range n.IntN(1 + len(cuts)/3) {
		from := n.IntN(size)
		again := [2]int{from, min(size, from+1+n.IntN(2*longest))}
		// Repeated, it comes after the first time.
		i := slices.IndexFunc(cuts, func(c [2]int) bool { return c[1] >= again[1] })
		cuts = slices.Insert(cuts, min(len(cuts), i+1+n.IntN(10)), again)
	}
	for i := range cuts {
		if n.IntN(8) == 0 {
			j := min(len(cuts)-1, i+n.IntN(5))
			cuts[i], cuts[j] = cuts[j], cuts[i]
		}
	}
	return cuts
}
