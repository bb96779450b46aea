package kern

import (
	"fmt"
	"testing"

	"github.com/waggle-bpf/waggle/bpf/bpftest"
)

// there tells whether a side's socket is in the map.
func (r *rig) there(c *Conn, side Side) bool {
	ok := Sockets.Delete(key(c.ID, side)).Ok()
	if ok {
		bpftest.SetSocket(r.Kernel, &Sockets, key(c.ID, side), &r.ops[side])
	}
	return ok
}

// told is how often user space was told of the connection since the last call.
func (r *rig) told(c *Conn) (n int) {
	for _, s := range bpftest.Events[Sighting](r.Kernel, &Sightings) {
		if s.Event == Leaving && s.ID == c.ID {
			n++
		}
	}
	return n
}

// say sends a message through TCP to its end: it is made a segment of.
func (r *rig) say(from Side) {
	r.t.Helper()
	if r.send(from, 10) {
		r.t.Error("it went by the short cut")
	}
	r.transmit(from)
}

// leaving makes a connection that has used the short cut both ways, and that has to
// leave now.
func leaving(t *testing.T) (*rig, *Conn) {
	r := newRig(t, Reads, Reads)
	c := r.enrol()
	if !r.send(Client, 10) || !r.send(Server, 10) {
		t.Fatal("not on the short cut")
	}
	c.Leaving = 1
	return r, c
}

// TestLeaveAtOnce: when nothing waits anywhere, both sockets leave with the first
// segment, and nobody has to be told.
func TestLeaveAtOnce(t *testing.T) {
	r, c := leaving(t)
	r.say(Client)
	if r.there(c, Client) || r.there(c, Server) {
		t.Errorf("in the map: client %v, server %v", r.there(c, Client), r.there(c, Server))
	}
	if c.Out != [2]uint32{1, 1} || r.told(c) != 0 {
		t.Errorf("out %v, told %d times", c.Out, c.Told)
	}
}

// TestStay: a socket stays in the map as long as taking it out could lose something, and
// user space is told once.
func TestStay(t *testing.T) {
	for name, test := range map[string]struct {
		happens        func(*rig, *Conn)
		client, server bool // what stays
	}{
		"unread at the reader":            {func(r *rig, _ *Conn) { r.queue(Server, 1) }, false, true},
		"unread at the sender":            {func(r *rig, _ *Conn) { r.queue(Client, 1) }, true, false},
		"unread at the sender, from TCP":  {func(r *rig, _ *Conn) { r.position(Server, 5, 0) }, true, false},
		"another thread on its way there": {func(r *rig, c *Conn) { c.Direction[Client].Shared = 1; r.users(Client, 3) }, false, true},
		"another thread on its way back":  {func(r *rig, _ *Conn) { r.users(Server, 2) }, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			r, c := leaving(t)
			test.happens(r, c)
			r.say(Client)
			r.say(Client)
			if client, server := r.there(c, Client), r.there(c, Server); client != test.client || server != test.server {
				t.Errorf("in the map: client %v, server %v", client, server)
			}
			if n := r.told(c); n != 1 {
				t.Errorf("told %d times", n)
			}
		})
	}
}

// TestDeaf: if the sockets report nothing any more, user space is told.
func TestDeaf(t *testing.T) {
	r, c := leaving(t)
	r.send(Client, 10)
	r.send(Client, 10)
	if r.told(c) != 1 || !r.there(c, Client) {
		t.Errorf("told %d times", c.Told)
	}
}

// TestEarly: who sends before the other end is enrolled goes through TCP for good, and
// leaves the map.
func TestEarly(t *testing.T) {
	r := newRig(t, Reads, Reads)
	bpftest.Run(r.Kernel, Enrol, &r.ops[Client])
	c := Conns.Lookup(3)
	r.say(Client)
	bpftest.Run(r.Kernel, Enrol, &r.ops[Server])
	if r.there(c, Client) || r.there(c, Server) || c.Direction[Client].Way != Alone || c.Open != 1 || c.Sock[Server] != 0 {
		t.Errorf("got %+v", *c)
	}
	r.close(Server) // it never was an end
	if c.ID == 0 {
		t.Error("closed with the server")
	}
	r.close(Client)
	if c.ID != 0 || Total.Paired != 0 {
		t.Errorf("got %+v, %+v", *c, Total)
	}
}

// TestBlocking: sockets that block are not short-cut, as soon as that is known for sure.
func TestBlocking(t *testing.T) {
	t.Run("client", func(t *testing.T) {
		r := newRig(t, Reads, Reads)
		Ends.GetOrCreate(&r.socks[Client]).Blocks = 1
		if c := r.enrol(); c.ID != 0 || Total.Declined != 1 {
			t.Errorf("got %+v, %+v", *c, Total)
		}
	})
	t.Run("client, later", func(t *testing.T) {
		r := newRig(t, Reads, Reads)
		c := r.enrol()
		r.file(Client, 0)
		r.say(Client)
		if c.Direction[Client].Way != Waits || r.there(c, Client) || r.there(c, Server) {
			t.Errorf("got %+v", *c)
		}
	})
	t.Run("new port", func(t *testing.T) {
		r := newRig(t, Reads, Reads)
		Listeners.Lookup(80).Polls = Unseen
		offer(r)
		c := r.enrol()
		r.file(Server, unaccepted)
		if r.send(Client, 10) || c.Leaving != 0 {
			t.Errorf("redirected to who knows, or %+v", *c)
		}
		if r.told(c) != 1 {
			t.Error("nobody watches")
		}
		r.position(Client, 10, 0)
		r.position(Server, 0, 10)
		r.file(Server, nonblock)
		if !r.send(Client, 10) {
			t.Error("passed")
		}
		if Listeners.Lookup(80).Polls != Polls {
			t.Error("the port is not known")
		}
	})
	t.Run("new port, blocking", func(t *testing.T) {
		r := newRig(t, Reads, Reads)
		Listeners.Lookup(80).Polls = Unseen
		offer(r)
		r.file(Server, 0)
		c := r.enrol()
		r.send(Client, 10) // many set the flag just after they have accepted
		if c.Leaving != 0 {
			t.Error("too early to tell")
		}
		r.say(Server)
		if c.Direction[Server].Way != Waits || r.there(c, Server) || Listeners.Lookup(80).Polls != Blocks {
			t.Errorf("got %+v", *c)
		}
		offer(r)
		if Total.Declined != 1 || Offers.Lookup(serverTuple(&r.ops[Server])) != nil {
			t.Errorf("got %+v", Total)
		}
	})
}

// TestWatched: while a reader that may ask for the amount learns, user space is told of
// what goes through TCP.
func TestWatched(t *testing.T) {
	for manner, want := range map[Manner]int{Unknown: 1, MaySplice: 0, MayAsk: 1} {
		t.Run(fmt.Sprint("manner ", manner), func(t *testing.T) {
			r := newRig(t, Reads, manner)
			c := r.enrol()
			if r.send(Client, 10) {
				t.Error("redirected")
			}
			if n := r.told(c); n != want {
				t.Errorf("told %d times", n)
			}
		})
	}
}

// TestZerocopy: nobody tells the sender when a message on the short cut is read.
func TestZerocopy(t *testing.T) {
	r := newRig(t, Reads, Reads)
	c := r.enrol()
	r.setWord(r.sock(Client)+uint64(At.SockFlags), 1<<At.ZerocopyFlag)
	r.say(Client)
	if c.Direction[Client].Way != Zerocopy {
		t.Errorf("got %+v", *c)
	}
}

// TestReused: a socket that has another connection now sends nothing to its old peer.
func TestReused(t *testing.T) {
	r := newRig(t, Reads, Reads)
	c := r.enrol()
	if !r.send(Client, 10) {
		t.Fatal("not on the short cut")
	}
	r.close(Client)
	if r.send(Client, 10) || c.ID == 0 {
		t.Error("redirected to the old peer")
	}
	r.close(Server)
	var slot uint32
	if !Free.Pop(&slot).Ok() || Total.Closed != 1 {
		t.Errorf("got %+v", Total)
	}
	if Free.Pop(&slot).Ok() {
		t.Error("its place is free twice")
	}
}
