package bpftest

import (
	"unsafe"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/cgroup"
	"github.com/waggle-bpf/waggle/bpf/internal/sim"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/sk"
	"github.com/waggle-bpf/waggle/bpf/tc"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// Input is a packet, a message or a piece of a stream to run a program on: a
// Packet or Data.
type Input interface {
	Bytes() []byte
}

// Data is an Input that is just bytes.
type Data []byte

// Bytes returns d.
func (d Data) Bytes() []byte { return d }

// Result is what came of a packet.
type Result[V any] struct {
	Verdict V
	Data    []byte // the packet as the program left it
	Meta    []byte // XDP metadata before it
	// Redirect says where a redirect helper sent the packet; nil if none was
	// called.
	Redirect *Redirect
	// Clones are the copies sent elsewhere.
	Clones []Clone
	// Apply and Cork are the byte counts that a sk_msg program gave.
	Apply, Cork uint32
}

// Redirect is the destination of a packet.
type Redirect struct {
	Helper  string // the kernel's name: redirect, redirect_map, ...
	IfIndex uint32 // the interface, of helpers that take one
	Flags   uint64
	Target  any // the map entry, of helpers that take one: what Put or an update stored
}

// Clone is a copy of a packet sent elsewhere.
type Clone struct {
	IfIndex uint32
	Flags   uint64
	Data    []byte
}

// XDP runs an XDP program on a packet. set may change the context before.
func (k *Kernel) XDP(prog func(*xdp.Context) xdp.Action, in Input, set ...func(*xdp.Context)) Result[xdp.Action] {
	return runPacket(k, prog, in, set)
}

// TC runs a tc program on a packet. Length and Ethernet type are in the context;
// set may change it before.
func (k *Kernel) TC(prog func(*tc.Context) tc.Action, in Input, set ...func(*tc.Context)) Result[tc.Action] {
	fill := func(c *tc.Context) {
		b := in.Bytes()
		c.Len = uint32(len(b))
		c.WireLen = c.Len
		if eth := packet.At[packet.Ethernet](b, 0); eth != nil {
			c.Protocol = uint32(eth.Type)
		}
	}
	return runPacket(k, prog, in, append([]func(*tc.Context){fill}, set...))
}

// CgroupSkb runs a cgroup_skb program on an IP packet: give a Packet NoEthernet.
func (k *Kernel) CgroupSkb(prog func(*cgroup.SkbContext) cgroup.Verdict, in Input, set ...func(*cgroup.SkbContext)) Result[cgroup.Verdict] {
	fill := func(c *cgroup.SkbContext) {
		b := in.Bytes()
		c.Len = uint32(len(b))
		if p := packet.ParseIP(b); p.IPv4 != nil {
			c.Protocol = uint32(packet.TypeIPv4)
		} else if p.IPv6 != nil {
			c.Protocol = uint32(packet.TypeIPv6)
		}
	}
	return runPacket(k, prog, in, append([]func(*cgroup.SkbContext){fill}, set...))
}

// Filter runs a socket filter on a packet.
func (k *Kernel) Filter(prog func(*sk.FilterContext) sk.Keep, in Input, set ...func(*sk.FilterContext)) Result[sk.Keep] {
	fill := func(c *sk.FilterContext) { c.Len = uint32(len(in.Bytes())) }
	return runPacket(k, prog, in, append([]func(*sk.FilterContext){fill}, set...))
}

// Msg runs a sk_msg program on a message.
func (k *Kernel) Msg(prog func(*sk.MsgContext) sk.Verdict, in Input, set ...func(*sk.MsgContext)) Result[sk.Verdict] {
	fill := func(c *sk.MsgContext) { c.Size = uint32(len(in.Bytes())) }
	return runPacket(k, prog, in, append([]func(*sk.MsgContext){fill}, set...))
}

// Skb runs a stream parser (V is int32) or verdict program (V is sk.Verdict) on a
// piece of a stream.
func Skb[V any](k *Kernel, prog func(*sk.SkbContext) V, in Input, set ...func(*sk.SkbContext)) Result[V] {
	fill := func(c *sk.SkbContext) { c.Len = uint32(len(in.Bytes())) }
	return runPacket(k, prog, in, append([]func(*sk.SkbContext){fill}, set...))
}

// Run runs a program of any other kind on a context that the test has filled in,
// and returns its result.
func Run[C, V any](k *Kernel, prog func(*C) V, ctx *C) V {
	return run(k, prog, ctx, &sim.Packet{})
}

// Linear returns an Input whose first n bytes only are reachable without
// helpers, like those of a big packet in fragments.
func Linear(in Input, n int) Input { return linear{in, n} }

type linear struct {
	Input
	n int
}

func runPacket[C, V any](k *Kernel, prog func(*C) V, in Input, set []func(*C)) Result[V] {
	k.t.Helper()
	p := sim.NewPacket(in.Bytes())
	if l, ok := in.(linear); ok {
		p.Linear = l.n
	}
	ctx := new(C)
	for _, f := range set {
		f(ctx)
	}
	r := Result[V]{Verdict: run(k, prog, ctx, p)}
	r.Data, r.Meta, r.Apply, r.Cork = p.Bytes(), p.Meta(), p.Apply, p.Cork
	if p.Redirect.Helper != "" {
		d := Redirect(p.Redirect)
		r.Redirect = &d
	}
	for _, c := range p.Clones {
		r.Clones = append(r.Clones, Clone(c))
	}
	return r
}

// maxTailCalls is the kernel's limit (MAX_TAIL_CALL_CNT).
const maxTailCalls = 33

// run calls the program with the packet behind its context, and whatever
// programs it tail-calls.
func run[C, V any](k *Kernel, prog func(*C) V, ctx *C, p *sim.Packet) V {
	k.sim.Bind(unsafe.Pointer(ctx), p)
	defer k.sim.Unbind(unsafe.Pointer(ctx))
	k.sim.TailCalls = maxTailCalls
	for {
		v, next := call(prog, ctx)
		if next == nil {
			return v
		}
		to, ok := next.(func(*C) V)
		if !ok {
			k.t.Fatalf("bpftest: tail call from %T to a program of another kind, %T", prog, next)
		}
		prog = to
	}
}

// call runs one program and returns its verdict, or the program it left for.
func call[C, V any](prog func(*C) V, ctx *C) (v V, next any) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case sim.TailCallTo:
			next = r.Program
		default:
			panic(r)
		}
	}()
	return prog(ctx), nil
}

// SetProgram puts a program into an array for tail calls; nil removes it.
func SetProgram[C, V any](k *Kernel, m *bpf.ProgArray, index uint32, prog func(*C) V) {
	k.t.Helper()
	var ref any
	if prog != nil {
		ref = prog
	}
	put(k, m, sim.IndexKey(index), ref, m.MaxEntries)
}

// SetTarget puts what a redirect will report as its Target into a map of
// devices or sockets, under an index; nil removes it.
func SetTarget[M bpf.DevMap | bpf.DevMapHash | bpf.CPUMap | bpf.XSKMap | bpf.SockMap](k *Kernel, m *M, index uint32, target any) {
	put(k, m, sim.IndexKey(index), target, sim.Unbounded)
}

// SetSocket puts a socket into a SockHash, under key; nil removes it.
func SetSocket[K comparable](k *Kernel, m *bpf.SockHash[K], key K, socket any) {
	put(k, m, sim.BytesOf(&key), socket, m.MaxEntries)
}

func put(k *Kernel, m any, key []byte, ref any, size uint32) {
	s := sim.Open[uint32](sim.PointerOf(m), "bpftest", sim.Refs, size)
	if errno := s.SetRef(key, ref, 0); errno != 0 {
		k.t.Fatalf("bpftest: put entry into map: %v", bpf.Errno(errno))
	}
}
