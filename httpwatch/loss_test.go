package httpwatch

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/bpf/bpftest"
	"github.com/waggle-bpf/waggle/httpwatch/kern"
)

// TestLostEvents makes records find no room in the ring. The requests in them are
// lost, the loss is known, and what comes after is seen.
func TestLostEvents(t *testing.T) {
	long := get("/" + strings.Repeat("x", 40_000)) // three records
	tests := []struct {
		name  string
		play  func(c *wire, fail func(int))
		want  []string
		gaps  uint64
		bytes uint64
	}{
		{"a request", func(c *wire, fail func(int)) {
			c.send(get("/1"))
			fail(1)
			c.send(get("/2"), get("/3"))
		}, []string{"GET /1", "GET /3"}, 1, uint64(len(get("/1")))},
		{"the first request", func(c *wire, fail func(int)) {
			fail(1)
			c.send(get("/1"), get("/2"), get("/3"))
		}, []string{"GET /2", "GET /3"}, 1, uint64(len(get("/1")))},
		{"one pass of two", func(c *wire, fail func(int)) {
			c.send(get("/1"))
			fail(1)
			p := c.at(c.seq, get("/2"))
			c.r.packet(p)
			c.send(get("/2"), get("/3"))
		}, []string{"GET /1", "GET /2", "GET /3"}, 0, 0},
		{"the rest of a head", func(c *wire, fail func(int)) {
			c.send("GET /1 HTTP/1.1\r\nHost: a\r\n")
			fail(1)
			c.send("Accept: *\r\n\r\n", get("/2"))
		}, []string{"GET /1", "GET /2"}, 1, 13},
		{"the rest of a start line", func(c *wire, fail func(int)) {
			c.send("GET /1 HT")
			fail(1)
			c.send("TP/1.1\r\n\r\n", get("/2"))
		}, []string{"GET /2"}, 1, 10},
		{"part of a super-packet", func(c *wire, fail func(int)) {
			c.send(get("/1"))
			fail(1)
			c.send(long, get("/2"))
		}, []string{"GET /1", "GET /2"}, 1, uint64(len(long))},
		{"part of a body", func(c *wire, fail func(int)) {
			c.send("PUT /1 HTTP/1.1\r\nContent-Length: 68\r\n\r\n")
			fail(1)
			c.send(trap(34), trap(34), get("/2"))
		}, []string{"PUT /1", "GET /2"}, 0, 0},
	}
	r := newRig(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r.restart(t)
			failed := 0
			test.play(r.connect(), func(n int) {
				bpftest.Fail(r.k, &kern.Events, n)
				failed += n
			})
			r.want(test.want...)
			if l := r.w.summary.Lost; l.Gaps != test.gaps || l.GapBytes != test.bytes {
				t.Errorf("lost %+v, want %d gaps of %d bytes", l, test.gaps, test.bytes)
			}
			if n := bpftest.Lost[kern.Record](r.k, &kern.Events); n != failed {
				t.Errorf("%d events counted as lost, want %d", n, failed)
			}
		})
	}
}

// TestPacketNotSeen leaves a packet out that took another way. User space waits for
// it for a second.
func TestPacketNotSeen(t *testing.T) {
	r := newRig(t)
	c := r.connect()
	c.send(get("/1"))
	c.seq += 100
	c.send(get("/2"), get("/3"))
	r.want("GET /1")
	r.w.tick(r.k.Now())
	r.want()
	r.k.Advance(2 * time.Second)
	r.w.tick(r.k.Now())
	r.want("GET /2", "GET /3")
	c.send(get("/4"))
	r.want("GET /4")
	if l := r.w.summary.Lost; l.Gaps != 1 || l.GapBytes != 100 {
		t.Errorf("lost %+v", l)
	}
	if len(r.w.waiting) != 0 {
		t.Error("the connection still waits")
	}
}

// TestFinish wants what waits at the end to be reported, and what waits when its
// address is used again.
func TestFinish(t *testing.T) {
	r := newRig(t)
	c := r.connect()
	c.seq += 100
	c.send(get("/1"))
	c.seq = 90_000_000
	c.syn()
	c.send(get("/2"))
	r.want("GET /1", "GET /2")
	c.seq += 100
	c.send(get("/3"))
	r.want()
	r.w.finish()
	r.want("GET /3")
}

// TestKernelForgets makes the kernel half lose what it knows of a flow, in the middle
// of a request and between two.
func TestKernelForgets(t *testing.T) {
	r := newRig(t)
	c := r.connect()
	forget := func() {
		for f := range bpftest.Entries[kern.Flow, kern.State](r.k, &kern.Flows) {
			kern.Flows.Delete(f)
		}
	}
	c.send(get("/1"))
	forget()
	c.send(get("/2"), "GET /3 HTTP/1.1\r\nHost: a\r\n")
	forget()
	c.send("Accept: *\r\n\r\n", get("/4"), get("/5"))
	r.want("GET /1", "GET /2", "GET /3", "GET /4", "GET /5")
}

// TestTooManyConnections keeps more connections open than there is room for.
func TestTooManyConnections(t *testing.T) {
	r := newRig(t)
	var wires []*wire
	for i := range 1500 {
		c := r.attached()
		c.packet.Src = fmt.Sprintf("10.0.0.1:%d", 20_000+i)
		c.syn()
		wires = append(wires, c)
	}
	for round := range 3 {
		for i, c := range wires {
			c.send(get(fmt.Sprintf("/%d/%d", i, round)))
		}
	}
	if len(r.seen) != 4500 || r.w.summary.Lost.Evicted != 0 {
		t.Errorf("%d requests, lost %+v: forgetting idle connections should cost nothing", len(r.seen), r.w.summary.Lost)
	}
	for _, c := range wires {
		c.send("GET /unfinished HTTP/1.1\r\n")
	}
	if n := r.w.summary.Lost.Evicted; n != 500 {
		t.Errorf("%d connections forgotten, want 500", n)
	}
	if len(r.w.table.conns) != 1000 {
		t.Errorf("%d connections in the table", len(r.w.table.conns))
	}
}

// TestSlowUserSpace lets user space read seldom: its verdicts come late.
func TestSlowUserSpace(t *testing.T) {
	r := newRig(t)
	c := r.connect()
	r.deaf = true
	s := put("/1", trap(400_000)) + get("/2") + put("/3", trap(100_000)) + get("/4")
	for i, piece := range inPieces(s, 3000) {
		c.send(piece)
		if i%40 == 39 {
			r.read()
		}
	}
	r.read()
	r.want("PUT /1", "GET /2", "PUT /3", "GET /4")
	if r.sent > 400_000 {
		t.Errorf("%d bytes were sent to user space", r.sent)
	}
}
