package kern

import (
	"strings"
	"testing"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/bpftest"
	"github.com/waggle-bpf/waggle/bpf/sk"
)

// cookie is that of the client's connection, whose pair is the fourth.
const (
	cookie        = 77
	client uint32 = 6
)

// receive runs the program for data at a place in the client's stream; fin tells
// whether its end is behind it.
func receive(k *bpftest.Kernel, cookie uint64, seq uint32, data string, fin bool) bpftest.Result[sk.Verdict] {
	return bpftest.Skb(k, Verdict, bpftest.Data(data), func(c *sk.SkbContext) {
		bpftest.SetCookie(k, c, cookie)
		c.CB[0], c.CB[1] = seq, seq+uint32(len(data))
		if fin {
			c.CB[1]++
		}
	})
}

// newLane makes the client's lane known, with a valve that is wide open.
func newLane(t *testing.T, k *bpftest.Kernel, l Lane) *Lane {
	t.Helper()
	if err := Indexes.Update(cookie, client, bpf.Any); !err.Ok() {
		t.Fatal(err)
	}
	lane := Lanes.Lookup(client)
	*lane = l
	bpftest.SetTarget(k, &Sockets, client^1, "backend")
	return lane
}

const wide = 1 << 30

func TestVerdict(t *testing.T) {
	tests := []struct {
		name   string
		lane   Lane // before
		seq    uint32
		data   string
		fin    bool
		goes   string // what is redirected
		passed string
		after  Lane
	}{
		{name: "in order", lane: Lane{Next: 100, Limit: wide}, seq: 100, data: "hello",
			goes: "hello", after: Lane{Next: 105, Redirected: 5, Cost: 5 + Overhead, Limit: wide}},
		{name: "with its end", lane: Lane{Next: 100, Limit: wide}, seq: 100, data: "bye", fin: true,
			goes: "bye", after: Lane{Next: 103, Redirected: 3, Cost: 3 + Overhead, Limit: wide}},
		{name: "an end", lane: Lane{Next: 100, Limit: wide}, seq: 100, fin: true, after: Lane{Next: 100, Limit: wide}},
		{name: "seen in part", lane: Lane{Next: 102, Limit: wide}, seq: 100, data: "hello",
			goes: "llo", after: Lane{Next: 105, Redirected: 3, Cost: 3 + Overhead, Limit: wide}},
		{name: "much of it seen", lane: Lane{Next: 100_000, Limit: wide}, seq: 0, data: strings.Repeat("x", 100_000) + "y",
			goes: "y", after: Lane{Next: 100_001, Redirected: 1, Cost: 1 + Overhead, Limit: wide}},
		{name: "seen", lane: Lane{Next: 105, Limit: wide}, seq: 100, data: "hello", after: Lane{Next: 105, Limit: wide}},
		{name: "at the turn of numbers", lane: Lane{Next: 1, Limit: wide}, seq: 0xffff_fffe, data: "hello",
			goes: "lo", after: Lane{Next: 3, Redirected: 2, Cost: 2 + Overhead, Limit: wide}},
		{name: "valve closed", lane: Lane{Next: 100, Limit: 5 + Overhead - 1}, seq: 100, data: "hello",
			passed: "hello", after: Lane{Next: 105, Passed: 5, Limit: 5 + Overhead - 1}},
		{name: "just fits", lane: Lane{Next: 100, Limit: 5 + Overhead}, seq: 100, data: "hello",
			goes: "hello", after: Lane{Next: 105, Redirected: 5, Cost: 5 + Overhead, Limit: 5 + Overhead}},
		{name: "something to be written first", lane: Lane{Next: 100, Passed: 9, Written: 8, Limit: wide}, seq: 100, data: "hello",
			passed: "hello", after: Lane{Next: 105, Passed: 14, Written: 8, Limit: wide}},
		{name: "seen in part, valve closed", lane: Lane{Next: 104}, seq: 100, data: "hello",
			passed: "o", after: Lane{Next: 105, Passed: 1}},
		{name: "something is missing", lane: Lane{Next: 100, Limit: wide}, seq: 101, data: "hello",
			passed: "hello", after: Lane{Next: 100, Broken: 1, Limit: wide}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			k := bpftest.New(t)
			lane := newLane(t, k, test.lane)
			r := receive(k, cookie, test.seq, test.data, test.fin)
			var goes, passed string
			switch {
			case r.Redirect != nil:
				goes = string(r.Data)
				if r.Redirect.Target != "backend" || r.Redirect.Flags != uint64(sk.Egress) {
					t.Errorf("redirected to %v, flags %d", r.Redirect.Target, r.Redirect.Flags)
				}
			case r.Verdict == sk.Pass:
				passed = string(r.Data)
			}
			if goes != test.goes || passed != test.passed {
				t.Errorf("got %.20q redirected, %.20q passed, want %.20q and %.20q", goes, passed, test.goes, test.passed)
			}
			if *lane != test.after {
				t.Errorf("got %+v, want %+v", *lane, test.after)
			}
		})
	}
}

// TestNoControlBlock: the first words of cb are not what they should be.
func TestNoControlBlock(t *testing.T) {
	k := bpftest.New(t)
	lane := newLane(t, k, Lane{Next: 100, Limit: wide})
	r := bpftest.Skb(k, Verdict, bpftest.Data("hello"), func(c *sk.SkbContext) {
		bpftest.SetCookie(k, c, cookie)
		c.CB[0] = 100
	})
	if r.Verdict != sk.Pass || r.Redirect != nil || lane.Broken != 1 {
		t.Errorf("got %v, %+v, %+v", r.Verdict, r.Redirect, *lane)
	}
}

func TestStranger(t *testing.T) {
	k := bpftest.New(t)
	newLane(t, k, Lane{})
	if r := receive(k, cookie+1, 0, "hello", false); r.Verdict != sk.Pass || r.Redirect != nil {
		t.Errorf("got %v, %+v", r.Verdict, r.Redirect)
	}
}

// TestTargetGone: what can't be redirected is left to user space.
func TestTargetGone(t *testing.T) {
	k := bpftest.New(t)
	lane := newLane(t, k, Lane{Next: 100, Limit: wide})
	bpftest.SetTarget(k, &Sockets, client^1, nil)
	r := receive(k, cookie, 100, "hello", false)
	if r.Verdict != sk.Pass || r.Redirect != nil || lane.Redirected != 0 || lane.Cost != 0 || lane.Passed != 5 {
		t.Errorf("got %v, %+v, %+v", r.Verdict, r.Redirect, *lane)
	}
}
