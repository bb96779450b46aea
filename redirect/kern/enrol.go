package kern

import (
	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/sk"
)

// done is what Enrol returns. Anything but 1 would make the kernel ignore the answers
// of other sockops programs of the group (__cgroup_bpf_run_filter_sock_ops in
// kernel/bpf/cgroup.c).
const done sk.Reply = 1

// callback is what an enrolled socket reports: that a segment is about to be sent.
const callback = sk.ReportWriteHeaderOption

// Enrol follows the connections of the group.
//
//bpf:sockops
func Enrol(ctx *sk.OpsContext) sk.Reply {
	switch ctx.Op {
	case sk.Listen:
		listening(ctx)
	case sk.RwndInit:
		requested(ctx)
	case sk.ConnectStart:
		connecting(ctx)
	case sk.ActiveEstablished:
		connected(ctx)
	case sk.PassiveEstablished:
		accepted(ctx)
	case sk.HeaderOptionLen:
		sending(ctx)
	}
	return done
}

// listening runs in the process that calls listen(2).
func listening(ctx *sk.OpsContext) {
	l := Listener{Program: running(), PID: process()}
	l.Manner = mannerOf(&l.Program, l.PID)
	// Who does not wait for connections does not wait for what they say either.
	if s := ctx.Sk; s != nil && polling(address(s)) == Polls {
		l.Polls = Believed
	}
	Listeners.Update(ctx.LocalPort, l, bpf.Any)
}

// mannerOf looks a program up, and asks user space about one that is not known.
func mannerOf(p *Program, pid uint32) Manner {
	if m := Programs.Lookup(*p); m != nil {
		return *m
	}
	Programs.Update(*p, Unknown, bpf.NoExist)
	report(Sighting{Program: *p, PID: pid})
	return Unknown
}

func report(s Sighting) {
	if !Sightings.Output(&s).Ok() {
		bpf.AtomicAdd(&Total.Lost, 1)
	}
}

// serverTuple names the connection of a socket that has accepted it, or is about to.
func serverTuple(ctx *sk.OpsContext) Tuple {
	return Tuple{
		Server: ctx.Local(), ServerPort: ctx.LocalPort,
		Client: ctx.Remote(), ClientPort: ctx.RemotePort.Host(),
	}
}

// requested notes a connection request at a listener. The kernel asks for the first
// window of a connection that way, before it answers the request; if it is a whole
// socket that asks, that is a client's.
func requested(ctx *sk.OpsContext) {
	if ctx.IsFullSock != 0 || ByPort && Ports.Lookup(ctx.LocalPort) == nil {
		return
	}
	var o Offer
	if l := Listeners.Lookup(ctx.LocalPort); l != nil {
		if l.Manner == Refused || l.Polls == Blocks {
			bpf.AtomicAdd(&Total.Declined, 1)
			return
		}
		o.Manner = l.Manner
		if l.Polls == Polls || l.Polls == Believed {
			o.Polls = Believed
		}
	}
	Offers.Update(serverTuple(ctx), o, bpf.Any)
}

// connecting runs in the process that calls connect(2).
func connecting(ctx *sk.OpsContext) {
	s := ctx.Sk
	if s == nil {
		return
	}
	if e := Ends.GetOrCreate(s); e != nil {
		e.PID = process()
		e.Program = running()
		if polling(address(s)) == Blocks {
			e.Blocks = 1
		}
	}
}

// connected enrols a client if a listener of the group has seen its request. It is
// called before the client's acknowledgement leaves, so before accepted.
func connected(ctx *sk.OpsContext) {
	t := Tuple{
		Client: ctx.Local(), ClientPort: ctx.LocalPort,
		Server: ctx.Remote(), ServerPort: ctx.RemotePort.Host(),
	}
	o, s := Offers.Lookup(t), ctx.Sk
	if o == nil || o.ID != 0 || s == nil || Off != 0 {
		return
	}
	e := Ends.GetOrCreate(s)
	if e == nil || e.ID != 0 || ByPID && PIDs.Lookup(e.PID) == nil {
		return
	}
	manner := mannerOf(&e.Program, e.PID)
	if manner == Refused || e.Blocks != 0 {
		bpf.AtomicAdd(&Total.Declined, 1)
		return
	}
	sock := address(s)
	if !fit(sock) {
		bpf.AtomicAdd(&Total.Unfit, 1)
		return
	}
	var slot uint32
	if !Free.Pop(&slot).Ok() {
		bpf.AtomicAdd(&Total.Full, 1)
		return
	}
	c := Conns.Lookup(slot)
	if c == nil {
		return
	}
	id := bpf.AtomicAdd(&lastID, 1) + 1
	*c = Conn{Tuple: t, Born: bpf.KtimeGetNS(), PID: e.PID, Open: 1, SndNxt: ctx.SndNxt, RcvNxt: ctx.RcvNxt}
	c.Manner[Client], c.Manner[Server] = manner, o.Manner
	c.Polls[Client], c.Polls[Server] = Believed, o.Polls
	if !join(ctx, c, e, id, slot, Client) {
		Free.Push(slot, bpf.Any)
		return
	}
	c.ID = id
	o.Slot, o.ID = slot, id
	bpf.AtomicAdd(&Total.Enrolled, 1)
}

// accepted enrols the server's end of a connection whose client's end is enrolled.
func accepted(ctx *sk.OpsContext) {
	t := serverTuple(ctx)
	found := Offers.Lookup(t)
	if found == nil {
		return
	}
	o := *found
	Offers.Delete(t)
	s := ctx.Sk
	c := Conns.Lookup(o.Slot)
	if o.ID == 0 || s == nil || c == nil || c.ID != o.ID {
		return
	}
	// Addresses alone don't tell: there may be the same ones in several network
	// namespaces. Sequence numbers are random at both ends.
	if c.SndNxt != ctx.RcvNxt || c.RcvNxt != ctx.SndNxt {
		return
	}
	e := Ends.GetOrCreate(s)
	if e == nil || e.ID != 0 {
		return
	}
	if !fit(address(s)) {
		bpf.AtomicAdd(&Total.Unfit, 1)
		return
	}
	if !join(ctx, c, e, o.ID, o.Slot, Server) {
		return
	}
	// If the client has sent something, that is under way to this socket in TCP, and the
	// client leaves.
	c.Direction[Server].Way = Learning
	if bpf.AtomicCompareExchange(&c.Direction[Client].Way, Fresh, Learning) != Fresh {
		part(c, e)
		return
	}
	bpf.AtomicAdd(&c.Open, 1)
	bpf.AtomicAdd(&Total.Paired, 1)
}

// part takes back what join has done for a server.
func part(c *Conn, e *End) {
	c.Direction[Server].Way = Alone
	Sockets.Delete(key(e.ID, Server))
	Addresses.Delete(c.Sock[Server])
	c.Sock[Server], c.Psock[Server], c.Queue[Server] = 0, 0, 0
	e.ID = 0
}

// join puts an end into the maps.
func join(ctx *sk.OpsContext, c *Conn, e *End, id uint64, slot uint32, side Side) bool {
	s := ctx.Sk
	if s == nil {
		return false
	}
	if !sk.UpdateHash(ctx, &Sockets, key(id, side), bpf.NoExist).Ok() {
		bpf.AtomicAdd(&Total.Unfit, 1)
		return false
	}
	e.ID, e.Slot, e.Side = id, slot, side
	sock := address(s)
	p := psock(sock)
	c.Sock[side&1], c.Psock[side&1], c.Queue[side&1] = sock, p, p+uint64(At.IngressMsg)
	Addresses.Update(sock, *e, bpf.Any)
	ctx.SetCbFlags(sk.CbFlags(ctx.CbFlags) | callback)
	return true
}

// own returns the connection of the context's socket, nil if it has none.
func own(ctx *sk.OpsContext) (*Conn, Side) {
	s := ctx.Sk
	if s == nil {
		return nil, 0
	}
	e := Ends.Get(s)
	if e == nil || e.ID == 0 {
		return nil, 0
	}
	c := Conns.Lookup(e.Slot)
	if c == nil || c.ID != e.ID {
		return nil, 0
	}
	return c, e.Side & 1
}

// sending takes out of the map what Send has decided on for this message, before TCP
// sends it.
func sending(ctx *sk.OpsContext) {
	c, me := own(ctx)
	if c == nil {
		return
	}
	d := &c.Direction[me&1]
	what := d.Remove
	d.Remove = 0
	c.remove(what)
	if !c.inMap(Client) && !c.inMap(Server) {
		// It is plain TCP now: segments need not be reported any more.
		ctx.SetCbFlags(sk.CbFlags(ctx.CbFlags) &^ callback)
	}
}
