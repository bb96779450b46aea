package kern

import (
	"sync/atomic"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/sk"
)

// Send decides about a message that is sent through an enrolled socket.
//
//bpf:sk_msg
func Send(ctx *sk.MsgContext) sk.Verdict {
	e := Ends.Get(ctx.Sk)
	if e == nil {
		return sk.Pass
	}
	c := Conns.Lookup(e.Slot)
	if c == nil || c.ID != e.ID {
		return sk.Pass
	}
	me := e.Side & 1
	d := &c.Direction[me]
	size := uint64(ctx.Size)
	d.count(&c.Direction[me^1], size)
	if d.next(c, me, size) == Short {
		if sk.RedirectMsg(ctx, &Sockets, key(e.ID, me^1), sk.Ingress) == sk.Pass {
			d.Messages++
			d.Bytes += size
			return sk.Pass
		}
		d.finish(c, Gone)
	}
	d.PassedMessages++
	d.PassedBytes += size
	if d.Way.Final() {
		d.Remove = d.leave(c, me)
		if d.Told == 0 && d.Remove != Reader && c.inMap(me^1) {
			d.Told = 1
			report(Sighting{Event: Behind, ID: e.ID, Slot: e.Slot})
		}
	}
	return sk.Pass
}

// count notes that a message is sent.
func (d *Direction) count(back *Direction, size uint64) {
	if answers := back.Sent(); answers != d.Answers {
		d.Answers, d.Unanswered = answers, 0
	}
	d.Unanswered += size + Overhead
}

// finish makes a way final, and with it that of the other direction.
func (d *Direction) finish(c *Conn, w Way) {
	d.Way = w
	bpf.AtomicExchange(&c.Leaving, 1)
}

// next takes the direction's next step and returns its way.
func (d *Direction) next(c *Conn, me Side, size uint64) Way {
	if d.Way == Alone || d.Way.Final() {
		return d.Way
	}
	if w := d.objection(c, me); w != Alone {
		d.finish(c, w)
		return w
	}
	written := half(c.Sock[me&1], At.WriteSeq)
	if d.Way == Learning {
		if !d.learned(c, me, written) {
			return Learning
		}
		d.Way, d.Base = Short, written
	}
	if written != d.Base {
		d.finish(c, Mixed)
		return Mixed
	}
	if w := d.enqueue(c, me, size); w != Short {
		d.finish(c, w)
		return w
	}
	return Short
}

// objection returns a final way if there is a reason for one apart from the amount of
// data, else Alone.
func (d *Direction) objection(c *Conn, me Side) Way {
	switch {
	case d.Veto != Alone:
		return d.Veto
	case Off != 0:
		return Ended
	case atomic.LoadUint32(&c.Leaving) != 0:
		return Gone
	case word(c.Sock[me&1], At.ULP) != 0:
		return Layered
	case d.Way == Learning && d.Unanswered > Most:
		return Bulk
	}
	return Alone
}

// learned tells whether all that was sent has been read, for the required number of
// messages. A reader that can't be wrong only has to have read what there was.
func (d *Direction) learned(c *Conn, me Side, written uint32) bool {
	you := (me ^ 1) & 1
	if written != half(c.Sock[you], At.CopiedSeq) {
		d.Turns = 0
		return false
	}
	d.Turns++
	return c.Cautious[you] == 0 || d.Turns > Learn
}

// enqueue counts a message in, or returns the way that the direction has to go if it
// is too much.
func (d *Direction) enqueue(c *Conn, me Side, size uint64) Way {
	cost := size + Overhead
	if empty(c.Queue[(me^1)&1]) {
		if d.Unanswered > Most {
			return Bulk
		}
		d.Unread = 0
	}
	if d.Unread+cost > Mark {
		return Backlog
	}
	d.Unread += cost
	if d.Unread > d.MaxUnread {
		d.MaxUnread = d.Unread
	}
	if t := bpf.GetCurrentPidTgid(); t != d.Thread {
		if d.Thread != 0 {
			d.Shared = 1
		}
		d.Thread = t
	}
	return Short
}

// leave returns which of the two sockets can leave the map now.
func (d *Direction) leave(c *Conn, me Side) Removal {
	me &= 1
	you := me ^ 1
	if c.inMap(you) {
		// Nothing waits for the reader, and no thread is about to put anything there.
		if c.Out[you] == 0 && empty(c.Queue[you]) && d.settled(c, me) {
			return Reader
		}
		return Nobody
	}
	// The kernel has done away with what the map kept of the reader: no thread is in
	// its part of a call on that socket any more, so none is about to put anything
	// into this one's queue.
	if c.Out[me] == 0 && empty(c.Queue[me]) {
		return Sender
	}
	return Nobody
}

// inMap tells whether a side's socket is in the map, or a thread still in a call on it
// that began when it was.
func (c *Conn) inMap(side Side) bool {
	side &= 1
	return c.Psock[side] != 0 && psock(c.Sock[side]) == c.Psock[side]
}

// users is the reference count of a struct sk_psock that is in the map and that one
// thread uses.
const users = 2

// settled tells whether no other thread of the sender is about to put something into
// the reader's queue: that happens some time after this program has said so, without
// the socket's lock (tcp_bpf_send_verdict in net/ipv4/tcp_bpf.c). If a thread sends
// its next message, its last one is there.
func (d *Direction) settled(c *Conn, me Side) bool {
	if d.Messages == 0 || d.Shared == 0 && d.Thread == bpf.GetCurrentPidTgid() {
		return true
	}
	return half(c.Psock[me&1], At.Refcnt) == users
}
