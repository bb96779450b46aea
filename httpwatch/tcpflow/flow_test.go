package tcpflow_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waggle-bpf/waggle/httpwatch/tcpflow"
)

// log is a consumer that writes down what it gets: "text", with a leading ^ if
// it begins a segment, and "-n" for a gap.
type log struct {
	got  []string
	skip func(data string) uint64
}

func (l *log) Data(s tcpflow.Segment) uint64 {
	text := string(s.Data)
	if s.Start {
		text = "^" + text
	}
	l.got = append(l.got, text)
	if l.skip != nil {
		return l.skip(string(s.Data))
	}
	return 0
}

func (l *log) Gap(n uint32) { l.got = append(l.got, fmt.Sprint("-", n)) }

// seg makes a segment from "SEQ TEXT" or, with a known loss before it, "SEQ! TEXT".
func seg(t *testing.T, s string) tcpflow.Segment {
	t.Helper()
	where, text, ok := strings.Cut(s, " ")
	where, lost := strings.CutSuffix(where, "!")
	var seq uint32
	if _, err := fmt.Sscan(where, &seq); err != nil || !ok {
		t.Fatalf("segment %q", s)
	}
	return tcpflow.Segment{Seq: seq, Data: []byte(text), Start: true, Lost: lost}
}

func pool() *tcpflow.Pool { return &tcpflow.Pool{FlowLimit: 1024, Limit: 1 << 20} }

func TestFlow(t *testing.T) {
	tests := []struct {
		name     string
		begin    uint32
		segments []string
		want     []string
	}{
		{"in order", 10, []string{"10 abc", "13 def"}, []string{"^abc", "^def"}},
		{"twice", 10, []string{"10 abc", "10 abc", "13 def", "10 abcdef"}, []string{"^abc", "^def"}},
		{"swapped", 10, []string{"13 def", "10 abc"}, []string{"^abc", "^def"}},
		{"backwards", 10, []string{"12 c", "11 b", "10 a"}, []string{"^a", "^b", "^c"}},
		{"before the beginning", 10, []string{"9 x", "5 vwxyz", "10 a"}, []string{"^a"}},
		{"overlap behind", 10, []string{"10 abc", "11 bcde"}, []string{"^abc", "de"}},
		{"overlap ahead", 10, []string{"12 cdef", "10 abcd"}, []string{"^abcd", "ef"}},
		{"held twice", 10, []string{"12 cd", "12 cd", "10 ab"}, []string{"^ab", "^cd"}},
		{"held longer", 10, []string{"12 cd", "12 cdef", "10 ab"}, []string{"^ab", "^cdef"}},
		{"held shorter", 10, []string{"12 cdef", "12 cd", "10 ab"}, []string{"^ab", "^cdef"}},
		{"held inside another", 10, []string{"12 cdef", "13 d", "10 ab"}, []string{"^ab", "^cdef"}},
		{"empty", 10, []string{"10 ", "14 ", "10 a"}, []string{"^a"}},
		{"two gaps", 10, []string{"12 c", "14 e", "11 b", "13 d", "10 a"}, []string{"^a", "^b", "^c", "^d", "^e"}},
		{"wrap", 4294967294, []string{"1 d", "4294967295 bc", "4294967294 a"}, []string{"^a", "^bc", "^d"}},
		{"lost", 10, []string{"10 a", "13! d", "14 e"}, []string{"^a", "-2", "^d", "^e"}},
		{"lost, but nothing is missing", 10, []string{"10 a", "11! b"}, []string{"^a", "^b"}},
		{"lost, repaired by a copy", 10, []string{"10 a", "10! abc"}, []string{"^a", "bc"}},
		{"lost, with held ones before and after", 10, []string{"12 c", "14 ef", "18 i", "16! g", "17 h"}, []string{"-2", "^c", "-1", "^ef", "^g", "^h", "^i"}},
		{"too much held", 10, []string{"20 u", "22 w", "24 y", "26 A", "28 C"}, []string{"-10", "^u"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var f tcpflow.Flow
			var l log
			p := pool()
			f.Begin(test.begin, p)
			for _, s := range test.segments {
				f.Add(seg(t, s), &l)
			}
			if diff := cmp.Diff(test.want, l.got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			f.End()
			if p.Used() != 0 {
				t.Errorf("%d bytes still held", p.Used())
			}
		})
	}
}

func TestAddReportsFresh(t *testing.T) {
	var f tcpflow.Flow
	var l log
	f.Begin(10, pool())
	for _, test := range []struct {
		segment string
		fresh   bool
	}{{"10 ab", true}, {"10 ab", false}, {"11 bc", true}, {"20 x", true}, {"20 x", false}, {"20 xy", true}} {
		if got := f.Add(seg(t, test.segment), &l); got != test.fresh {
			t.Errorf("Add(%q) = %t", test.segment, got)
		}
	}
}

func TestAbandon(t *testing.T) {
	var f tcpflow.Flow
	var l log
	f.Begin(10, pool())
	if f.Abandon(&l) {
		t.Error("gave up a gap where there was none")
	}
	late := seg(t, "12 c")
	late.Time = 7
	f.Add(tcpflow.Segment{Seq: 14, Data: []byte("e"), Time: 5}, &l)
	f.Add(late, &l)
	if since, ok := f.Waiting(); !ok || since != 5 {
		t.Errorf("Waiting = %d, %t", since, ok)
	}
	for f.Abandon(&l) {
	}
	if _, ok := f.Waiting(); ok {
		t.Error("still waiting")
	}
	if diff := cmp.Diff([]string{"-2", "^c", "-1", "e"}, l.got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSkip(t *testing.T) {
	five := func(string) uint64 { return 5 }
	tests := []struct {
		name     string
		skip     func(string) uint64
		segments []string
		want     []string
		next     uint32
	}{
		{"across segments", five, []string{"0 a", "1 12", "3 345b", "11 x"}, []string{"^a", "b"}, 12},
		{"ends with a segment", five, []string{"0 a", "1 12345", "6 b"}, []string{"^a", "^b"}, 12},
		{"nobody sends them", five, []string{"0 a", "6 b"}, []string{"^a", "^b"}, 12},
		{"last one missing", five, []string{"0 a", "1 12", "6 b"}, []string{"^a", "^b"}, 12},
		{"held when it becomes known", five, []string{"6 b", "3 345", "0 a"}, []string{"^a", "^b"}, 12},
		{"ends in a held one", five, []string{"4 45b", "0 a"}, []string{"^a", "b"}, 12},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var f tcpflow.Flow
			l := log{skip: test.skip}
			f.Begin(0, pool())
			for _, s := range test.segments {
				f.Add(seg(t, s), &l)
			}
			if diff := cmp.Diff(test.want, l.got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if f.Next() != test.next {
				t.Errorf("next is %d, want %d", f.Next(), test.next)
			}
		})
	}
}

// TestSkipGigabytes walks through a body of 10 GB, of which a segment is seen
// now and then.
func TestSkipGigabytes(t *testing.T) {
	const size = 10_000_000_000
	var f tcpflow.Flow
	l := log{skip: func(s string) uint64 {
		if s == "head" {
			return size
		}
		return 0
	}}
	const begin = 1 << 31
	f.Begin(begin, pool())
	f.Add(tcpflow.Segment{Seq: begin, Data: []byte("head")}, &l)
	body := make([]byte, 65000)
	for at := uint64(0); at+65000 < size; at += 100_000_000 {
		f.Add(tcpflow.Segment{Seq: uint32(begin + 4 + at), Data: body}, &l)
	}
	tail := append(bytes.Repeat([]byte("."), 100), "next"...)
	end := uint64(begin + 4 + size)
	f.Add(tcpflow.Segment{Seq: uint32(end - 100), Data: tail}, &l)
	if diff := cmp.Diff([]string{"head", "next"}, l.got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// collector rebuilds a stream at its true offsets.
type collector struct {
	t      *testing.T
	stream []byte
	seen   []bool
	at     int
	gaps   int
	rand   *rand.Rand
	skips  bool
}

func (c *collector) Data(s tcpflow.Segment) uint64 {
	for i, b := range s.Data {
		if b != c.stream[c.at+i] {
			c.t.Fatalf("byte %d is wrong", c.at+i)
		}
		c.seen[c.at+i] = true
	}
	c.at += len(s.Data)
	if !c.skips || c.rand.IntN(3) > 0 {
		return 0
	}
	skip := min(c.rand.IntN(500), len(c.stream)-c.at)
	for i := range skip {
		c.seen[c.at+i] = true
	}
	c.at += skip
	return uint64(skip)
}

func (c *collector) Gap(n uint32) { c.at += int(n); c.gaps++ }

// TestRandom delivers a random stream in random pieces, some twice, overlapping
// and out of order, and wants every byte once and in order.
func TestRandom(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 3))
		stream := make([]byte, 1+r.IntN(20_000))
		for i := range stream {
			stream[i] = byte(r.Uint32())
		}
		c := &collector{t: t, stream: stream, seen: make([]bool, len(stream)), rand: r, skips: seed%2 == 1}
		p := &tcpflow.Pool{FlowLimit: 1 << 30, Limit: 1 << 30}
		begin := uint32(r.Uint64())
		var f tcpflow.Flow
		f.Begin(begin, p)
		for _, cut := range shuffle(r, len(stream)) {
			s := tcpflow.Segment{Seq: begin + uint32(cut.from), Data: bytes.Clone(stream[cut.from:cut.to])}
			f.Add(s, c)
			clear(s.Data) // the flow must have its own copy
		}
		if c.gaps > 0 || c.at != len(stream) || bytes.Contains(boolBytes(c.seen), []byte{0}) {
			t.Fatalf("seed %d: %d gaps, reached %d of %d", seed, c.gaps, c.at, len(stream))
		}
		if p.Used() != 0 {
			t.Fatalf("seed %d: %d bytes still held", seed, p.Used())
		}
	}
}

type cut struct{ from, to int }

// shuffle cuts n bytes into pieces, adds retransmissions with other boundaries
// and moves pieces around locally.
func shuffle(r *rand.Rand, n int) (cuts []cut) {
	for at := 0; at < n; {
		to := min(n, at+1+r.IntN([]int{1, 10, 1500}[r.IntN(3)]))
		cuts = append(cuts, cut{at, to})
		if r.IntN(5) == 0 {
			from := max(0, at-r.IntN(300))
			cuts = append(cuts, cut{from, min(n, from+1+r.IntN(600))})
		}
		at = to
	}
	for i := range cuts {
		j := min(len(cuts)-1, i+r.IntN(8))
		cuts[i], cuts[j] = cuts[j], cuts[i]
	}
	return cuts
}

func boolBytes(all []bool) []byte {
	b := make([]byte, len(all))
	for i, v := range all {
		if v {
			b[i] = 1
		}
	}
	return b
}

// TestLimits drops segments for good and wants bounded memory, every gap
// reported and everything else delivered.
func TestLimits(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 4))
	stream := make([]byte, 1<<20)
	c := &collector{t: t, stream: stream, seen: make([]bool, len(stream)), rand: r}
	p := &tcpflow.Pool{FlowLimit: 32 << 10, Limit: 1 << 20}
	var f tcpflow.Flow
	f.Begin(0, p)
	missing := 0
	for at := 0; at < len(stream); at += 512 {
		if r.IntN(20) == 0 && at > 0 {
			missing += 512
			continue
		}
		f.Add(tcpflow.Segment{Seq: uint32(at), Data: stream[at : at+512]}, c)
		if p.Used() > 32<<10+2048 {
			t.Fatalf("%d bytes held", p.Used())
		}
	}
	for f.Abandon(c) {
	}
	seen := bytes.Count(boolBytes(c.seen), []byte{1})
	if seen != c.at-missing || c.gaps == 0 {
		t.Errorf("%d of %d bytes seen, %d gaps, %d missing", seen, c.at, c.gaps, missing)
	}
}

func TestNoAllocations(t *testing.T) {
	var f tcpflow.Flow
	c := &discard{}
	data := make([]byte, 1000)
	f.Begin(0, pool())
	seq := uint32(0)
	run := func() {
		f.Add(tcpflow.Segment{Seq: seq, Data: data}, c)
		f.Add(tcpflow.Segment{Seq: seq + 2000, Data: data[:30]}, c)
		f.Add(tcpflow.Segment{Seq: seq + 1000, Data: data}, c)
		seq += 2030
	}
	run()
	if n := testing.AllocsPerRun(100, run); n != 0 {
		t.Errorf("%v allocations a run", n)
	}
}

type discard struct{}

func (*discard) Data(tcpflow.Segment) uint64 { return 0 }
func (*discard) Gap(uint32)                  {}

func BenchmarkAdd(b *testing.B) {
	var f tcpflow.Flow
	c := &discard{}
	data := make([]byte, 200)
	f.Begin(0, pool())
	for seq := uint32(0); b.Loop(); seq += 200 {
		f.Add(tcpflow.Segment{Seq: seq, Data: data, Start: true}, c)
	}
}
