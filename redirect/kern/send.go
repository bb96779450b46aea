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
	if c.Sock[me] == 0 {
		return sk.Pass // it has had its end, and has another peer now
	}
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
	switch {
	case d.Way.Final():
		c.leave(e)
	case c.Polls[me^1] == Unseen, c.Manner[me^1] != MaySplice:
		c.tell(e, toldWatch)
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
func (d *Direction) finish(c *Conn, w Way) Way {
	d.Way = w
	bpf.AtomicExchange(&c.Leaving, 1)
	return w
}

// next takes the direction's next step and returns its way.
func (d *Direction) next(c *Conn, me Side, size uint64) Way {
	// The other end may be enrolled at this very moment.
	if d.Way == Fresh && bpf.AtomicCompareExchange(&d.Way, Fresh, Alone) == Fresh {
		return d.finish(c, Alone)
	}
	if d.Way.Final() {
		return d.Way
	}
	if w := d.objection(c, me); w != Fresh {
		return d.finish(c, w)
	}
	written := half(c.Sock[me&1], At.WriteSeq)
	if d.Way == Learning {
		if w := d.learn(c, me, written); w != Short {
			return w
		}
	}
	if written != d.Base {
		return d.finish(c, Mixed)
	}
	if w := d.enqueue(c, me, size); w != Short {
		return d.finish(c, w)
	}
	return Short
}

// objection returns a final way if there is a reason for one apart from the amount of
// data and the reader, else Fresh.
func (d *Direction) objection(c *Conn, me Side) Way {
	switch {
	case d.Veto != Fresh:
		return d.Veto
	case Off != 0:
		return Ended
	case c.blocks(me):
		return Waits
	case atomic.LoadUint32(&c.Leaving) != 0:
		return Gone
	case word(c.Sock[me&1], At.ULP) != 0:
		return Layered
	case d.Way != Learning:
		return Fresh
	case d.Unanswered > Most:
		return Bulk
	case zerocopy(c.Sock[me&1]):
		return Zerocopy
	}
	return Fresh
}

// blocks tells whether the socket of an end blocks. It is asked when the process has
// used the socket, because many make it what they want just after they have got it.
func (c *Conn) blocks(side Side) bool {
	side &= 1
	if c.Polls[side] == Polls {
		return false
	}
	p := polling(c.Sock[side])
	if p == Unseen {
		return false
	}
	c.Polls[side] = p
	if side == Server {
		if l := Listeners.Lookup(c.ServerPort); l != nil {
			l.Polls = p
		}
	}
	return p == Blocks
}

// learn returns Short if all that was sent has been read, for the required number of
// messages. A reader that can't be wrong only has to have read what there was.
func (d *Direction) learn(c *Conn, me Side, written uint32) Way {
	you := (me ^ 1) & 1
	if written != half(c.Sock[you], At.CopiedSeq) {
		d.Turns = 0
		return Learning
	}
	if d.PassedMessages > 0 && c.blocks(you) {
		return d.finish(c, Waits)
	}
	d.Turns++
	if c.Polls[you] == Unseen || c.Manner[you] != Reads && d.Turns <= Learn {
		return Learning
	}
	// The other side either sees this, or we see that it has begun to leave.
	bpf.AtomicExchange(&d.Begun, 1)
	if bpf.AtomicAdd(&c.Leaving, 0) != 0 {
		return d.finish(c, Gone)
	}
	d.Way, d.Base = Short, written
	return Short
}

// enqueue counts a message in, or returns the way that the direction has to go if it
// is too much.
func (d *Direction) enqueue(c *Conn, me Side, size uint64) Way {
	you := (me ^ 1) & 1
	cost := size + Overhead
	if empty(c.Queue[you]) {
		if d.Unanswered > Most {
			return Bulk
		}
		if d.Unread > 0 && c.blocks(you) {
			return Waits
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
