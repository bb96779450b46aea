package kern

import "github.com/waggle-bpf/waggle/bpf"

// This file takes sockets out of the map again. What is left there is left to user
// space, which has to be told: a socket in the map hides from its process what comes
// through TCP, if there was something on the short cut as well, or the process asks how
// much there is to be read (see package redirect, Session.retire).

// leave decides which sockets the next segment takes out of the map.
func (c *Conn) leave(e *End) {
	me := e.Side & 1
	d := &c.Direction[me]
	you := me ^ 1
	// It is still set if that segment has not asked: another program has taken our
	// callbacks away.
	deaf := d.Remove != 0
	d.Remove = 0
	// The reader's socket can leave if no other thread of ours is about to put something
	// into its queue: that happens some time after this program has said so, without the
	// socket's lock (tcp_bpf_send_verdict in net/ipv4/tcp_bpf.c). If a thread sends its
	// next message, its last one is there.
	settled := d.Messages == 0 || d.Shared == 0 && d.Thread == bpf.GetCurrentPidTgid() ||
		half(c.Psock[me], At.Refcnt) == users
	if settled && c.enrolled(you) && empty(c.Queue[you]) {
		d.Remove |= 1 << you
	}
	if c.enrolled(me) && empty(c.Queue[me]) && c.quiet(you) && !c.unread(me) {
		d.Remove |= 1 << me
	}
	stays := c.enrolled(you) && d.Remove>>you&1 == 0 || c.enrolled(me) && d.Remove>>me&1 == 0
	if stays || deaf {
		c.tell(e, toldLeaving)
	}
}

// What user space was told about a connection.
const (
	toldWatch   = 1 // something goes through TCP while both sockets are in the map
	toldLeaving = 2
)

// tell tells user space about a connection, once for each reason.
func (c *Conn) tell(e *End, why uint32) {
	if c.Told < why {
		c.Told = why
		report(Sighting{Event: Leaving, ID: e.ID, Slot: e.Slot})
	}
}

// remove takes out of the map what leave has decided on.
func (c *Conn) remove(what uint32) {
	if what&(1<<Client) != 0 {
		Sockets.Delete(key(c.ID, Client))
		c.Out[Client] = 1
	}
	if what&(1<<Server) != 0 {
		Sockets.Delete(key(c.ID, Server))
		c.Out[Server] = 1
	}
}

// enrolled tells whether a side's socket was put into the map, and neither taken out
// of it nor closed.
func (c *Conn) enrolled(side Side) bool {
	side &= 1
	return c.Sock[side] != 0 && c.Out[side] == 0
}

// inMap tells whether a side's socket is in the map, or a thread still in a call on it
// that began when it was.
func (c *Conn) inMap(side Side) bool {
	side &= 1
	return c.Psock[side] != 0 && psock(c.Sock[side]) == c.Psock[side]
}

// unread tells whether something that came through TCP waits to be read from a side.
func (c *Conn) unread(side Side) bool {
	return half(c.Sock[side&1], At.CopiedSeq) != half(c.Sock[(side^1)&1], At.WriteSeq)
}

// users is the reference count of a struct sk_psock that is in the map and that one
// thread uses.
const users = 2

// quiet tells whether no thread of a side is about to put something into the other's
// queue, seen from elsewhere, when the connection is leaving. Nobody is if the kernel has
// done away with what the map kept of the side: no thread is in a call on it then.
func (c *Conn) quiet(side Side) bool {
	side &= 1
	if c.Direction[side].Begun == 0 {
		return true
	}
	p := c.Psock[side]
	return psock(c.Sock[side]) != p || c.Out[side] == 0 && half(p, At.Refcnt) == users-1
}
