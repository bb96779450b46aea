package kern

import (
	"encoding/binary"
	"testing"
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/bpftest"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/sk"
	"github.com/waggle-bpf/waggle/bpf/trace"
)

// The positions of fields in the kernel of these tests, and the addresses of what its
// sockets have in the map.
var testOffsets = Offsets{WriteSeq: 0x100, CopiedSeq: 0x104, ULP: 0x108, UserData: 0x110, Socket: 0x118, SockFlags: 0x120,
	ZerocopyFlag: 5, IngressMsg: 0x40, Refcnt: 0x80, File: 0x10, FileFlags: 0x20}

var testPsock = [2]uint64{0x10000, 0x20000}

// rig is a connection whose ends are two sockets of a simulated kernel.
type rig struct {
	*bpftest.Kernel
	t     *testing.T
	socks [2]sk.Sock
	ops   [2]sk.OpsContext
}

// newRig makes a connection of programs with such manners; the client's request has
// reached the listener. Nothing is enrolled yet.
func newRig(t *testing.T, client, server Manner) *rig {
	t.Helper()
	At, Mark, Most, Learn, Off = testOffsets, 10_000, 5_000, 2, 0
	r := &rig{Kernel: bpftest.New(t), t: t}
	Total = Totals{}
	if err := Free.Push(3, bpf.Any); !err.Ok() {
		t.Fatal(err)
	}
	if err := Programs.Update(Program{}, client, bpf.Any); !err.Ok() {
		t.Fatal(err)
	}
	if err := Listeners.Update(80, Listener{Manner: server, Polls: Polls}, bpf.Any); !err.Ok() {
		t.Fatal(err)
	}
	a, b := packet.IPv4Addr(10, 0, 0, 1), packet.IPv4Addr(10, 0, 0, 2)
	r.ops[Client] = sk.OpsContext{Op: sk.ActiveEstablished, Family: sk.AFInet, IsFullSock: 1, Sk: &r.socks[Client],
		LocalIP4: a, LocalPort: 4000, RemoteIP4: b, RemotePort: bpf.ToBE32(80), SndNxt: 100, RcvNxt: 200}
	r.ops[Server] = sk.OpsContext{Op: sk.PassiveEstablished, Family: sk.AFInet, IsFullSock: 1, Sk: &r.socks[Server],
		LocalIP4: b, LocalPort: 80, RemoteIP4: a, RemotePort: bpf.ToBE32(4000), SndNxt: 200, RcvNxt: 100}
	offer(r)
	for side, p := range testPsock {
		r.setWord(r.sock(Side(side))+uint64(At.UserData), p|1)
		r.setWord(r.sock(Side(side))+uint64(At.ULP), 0)
		r.queue(Side(side), 0)
		r.users(Side(side), 1)
		r.position(Side(side), 0, 0)
		r.setWord(r.sock(Side(side))+uint64(At.SockFlags), 0)
		r.file(Side(side), nonblock)
	}
	return r
}

// offer is what the listener sees first.
func offer(r *rig) {
	request := r.ops[Server]
	request.Op, request.IsFullSock, request.Sk = sk.RwndInit, 0, nil
	bpftest.Run(r.Kernel, Enrol, &request)
}

// file makes a side's socket have a file with such flags; unaccepted for none.
func (r *rig) file(side Side, flags uint64) {
	socket := 0x30000 + uint64(side)*0x1000
	r.setWord(r.sock(side)+uint64(At.Socket), socket)
	file := socket + 0x100
	r.setWord(file+uint64(At.FileFlags), flags)
	if flags == unaccepted {
		file = 0
	}
	r.setWord(socket+uint64(At.File), file)
}

const unaccepted = 1 << 63

func (r *rig) sock(side Side) uint64 { return uint64(uintptr(unsafe.Pointer(&r.socks[side]))) }

func (r *rig) setWord(addr, v uint64) {
	r.SetMemory(addr, binary.NativeEndian.AppendUint64(nil, v))
}

// queue makes a side have unread messages on the short cut, or none.
func (r *rig) queue(side Side, n int) {
	head := testPsock[side] + uint64(At.IngressMsg)
	r.setWord(head, head+uint64(n)*8)
}

// users is how many hold what the map has of a side.
func (r *rig) users(side Side, n uint32) {
	r.SetMemory(testPsock[side]+uint64(At.Refcnt), binary.NativeEndian.AppendUint32(nil, n))
}

// position is how much a side has written to TCP, and read.
func (r *rig) position(side Side, written, copied uint32) {
	b := binary.NativeEndian.AppendUint32(nil, written)
	r.SetMemory(r.sock(side)+uint64(At.WriteSeq), binary.NativeEndian.AppendUint32(b, copied))
}

func (r *rig) enrol() *Conn {
	r.t.Helper()
	for side := range r.ops {
		if got := bpftest.Run(r.Kernel, Enrol, &r.ops[side]); got != done {
			r.t.Errorf("Enrol: %v", got)
		}
	}
	return Conns.Lookup(3)
}

// send sends a message and tells whether it was redirected to the other end.
func (r *rig) send(from Side, n int) bool {
	r.t.Helper()
	got := r.Msg(Send, bpftest.Data(make([]byte, n)), func(c *sk.MsgContext) { c.Sk = &r.socks[from] })
	if got.Verdict != sk.Pass {
		r.t.Errorf("verdict %v", got.Verdict)
	}
	if got.Redirect == nil {
		return false
	}
	if got.Redirect.Target != &r.ops[from^1] || got.Redirect.Flags != uint64(sk.Ingress) {
		r.t.Errorf("redirected to %v with flags %d", got.Redirect.Target, got.Redirect.Flags)
	}
	return true
}

// transmit is what TCP does with a message that has passed. It returns what the socket
// reports from then on.
func (r *rig) transmit(from Side) sk.CbFlags {
	ctx := r.ops[from]
	ctx.Op = sk.HeaderOptionLen
	bpftest.Run(r.Kernel, Enrol, &ctx)
	return sk.CbFlags(ctx.CbFlags)
}

func (r *rig) close(side Side) {
	bpftest.Run(r.Kernel, Close, &trace.RawContext{Args: [12]uint64{r.sock(side), uint64(sk.Established), uint64(sk.Closed)}})
}

func TestEnrol(t *testing.T) {
	r := newRig(t, Reads, Reads)
	c := r.enrol()
	if c.ID == 0 || c.Open != 2 || c.Direction[Client].Way != Learning || c.Direction[Server].Way != Learning {
		t.Errorf("got %+v", *c)
	}
	if c.Queue != [2]uint64{0x10040, 0x20040} || c.Manner != [2]Manner{Reads, Reads} {
		t.Errorf("queues %#x, manners %v", c.Queue, c.Manner)
	}
	for side := range r.ops {
		if r.ops[side].CbFlags != uint32(callback) {
			t.Errorf("callbacks %#x", r.ops[side].CbFlags)
		}
		r.close(Side(side))
		r.close(Side(side)) // some states are entered twice
	}
	var slot uint32
	if c.ID != 0 || !Free.Pop(&slot).Ok() || slot != 3 || Total.Closed != 1 || Total.Ways[Learning] != 2 {
		t.Errorf("after the end: %+v, %+v", *c, Total)
	}
}

// TestNotPaired: what looks like the other end and is not, or must not be.
func TestNotPaired(t *testing.T) {
	for name, change := range map[string]func(*rig){
		"other sequence numbers": func(r *rig) { r.ops[Server].SndNxt++ },
		"no request seen":        func(r *rig) { Offers.Delete(serverTuple(&r.ops[Server])) },
		"client is MPTCP":        func(r *rig) { r.setWord(r.sock(Client)+uint64(At.ULP), 1) },
		"server is MPTCP":        func(r *rig) { r.setWord(r.sock(Server)+uint64(At.ULP), 1) },
		"client is refused":      func(r *rig) { Programs.Update(Program{}, Refused, bpf.Any) },
		"no room":                func(r *rig) { var slot uint32; Free.Pop(&slot) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Reads, Reads)
			change(r)
			if c := r.enrol(); c.Direction[Client].Way != Fresh || c.Sock[Server] != 0 {
				t.Errorf("got %+v", *c)
			}
			if r.send(Client, 10) || r.send(Server, 10) {
				t.Error("a message was redirected")
			}
		})
	}
}

// TestPlainAgain: when both sockets have left the map, segments are not reported.
func TestPlainAgain(t *testing.T) {
	r := newRig(t, Reads, Reads)
	r.enrol()
	for side := range r.ops {
		if got := r.transmit(Side(side)); got != callback {
			t.Errorf("in the map: callbacks %#x", got)
		}
	}
	for side := range r.ops {
		r.setWord(r.sock(Side(side))+uint64(At.UserData), 0)
	}
	for side := range r.ops {
		if got := r.transmit(Side(side)); got != 0 {
			t.Errorf("out of the map: callbacks %#x", got)
		}
	}
}

// TestLearning: a reader that may splice has to show that it reads.
func TestLearning(t *testing.T) {
	r := newRig(t, Reads, MaySplice)
	r.enrol()
	if !r.send(Server, 10) {
		t.Error("to a reader that reads: passed")
	}
	for i := range uint32(2) {
		if r.send(Client, 10) {
			t.Errorf("message %d: redirected", i)
		}
		r.position(Client, 10*(i+1), 0)
		r.position(Server, 0, 10*(i+1))
	}
	if !r.send(Client, 10) {
		t.Error("everything was read: passed")
	}
}

func TestUnreadInTCP(t *testing.T) {
	r := newRig(t, Reads, Reads)
	r.enrol()
	r.position(Client, 10, 0)
	r.position(Server, 0, 5)
	if r.send(Client, 10) {
		t.Error("redirected past what is in TCP")
	}
}

// TestFinal ends the short cut for every reason.
func TestFinal(t *testing.T) {
	for name, test := range map[string]struct {
		happens func(*rig, *Conn)
		size    int
		want    Way
	}{
		"bulk":       {func(r *rig, _ *Conn) { r.send(Client, 3000) }, 3000, Bulk},
		"backlog":    {func(r *rig, _ *Conn) { r.queue(Server, 1); r.send(Client, 3000); r.send(Client, 3000) }, 3000, Backlog},
		"splices":    {func(_ *rig, c *Conn) { c.Direction[Client].Veto = Splices }, 10, Splices},
		"TLS":        {func(r *rig, _ *Conn) { r.setWord(r.sock(Client)+uint64(At.ULP), 1) }, 10, Layered},
		"mixed":      {func(r *rig, _ *Conn) { r.position(Client, 1, 0) }, 10, Mixed},
		"other gone": {func(_ *rig, c *Conn) { c.Leaving = 1 }, 10, Gone},
		"closed":     {func(r *rig, c *Conn) { Sockets.Delete(key(c.ID, Server)) }, 10, Gone},
		"blocks":     {func(r *rig, c *Conn) { r.file(Server, 0) }, 10, Waits},
		"end":        {func(*rig, *Conn) { Off = 1 }, 10, Ended},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, Reads, Reads)
			c := r.enrol()
			if !r.send(Client, 10) {
				t.Fatal("not on the short cut")
			}
			test.happens(r, c)
			if r.send(Client, test.size) {
				t.Error("redirected")
			}
			if d := &c.Direction[Client]; d.Way != test.want || c.Leaving != 1 {
				t.Errorf("way %d, want %d; leaving %d", d.Way, test.want, c.Leaving)
			}
			if r.send(Client, 1) {
				t.Error("redirected later")
			}
		})
	}
}

// TestAnswers: what is answered is no bulk.
func TestAnswers(t *testing.T) {
	r := newRig(t, Reads, Reads)
	r.enrol()
	for range 10 {
		if !r.send(Client, 3000) || !r.send(Server, 3000) {
			t.Fatal("passed")
		}
	}
}
