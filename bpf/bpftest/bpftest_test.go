package bpftest_test

import (
	"bytes"
	"testing"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/bpftest"
	"github.com/waggle-bpf/waggle/bpf/cgroup"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/sk"
	"github.com/waggle-bpf/waggle/bpf/tc"
	"github.com/waggle-bpf/waggle/bpf/trace"
	"github.com/waggle-bpf/waggle/bpf/xdp"
)

// What follows is a kernel package in small.

var (
	requests = bpf.LRUHash[packet.Addr, uint64]{MaxEntries: 4096}
	programs = bpf.ProgArray{MaxEntries: 2}
	devices  = bpf.DevMap{MaxEntries: 4}
	peers    = bpf.SockHash[uint32]{MaxEntries: 4}
	opened   = bpf.RingBuf[openEvent]{MaxEntries: 4096}
	captured = bpf.PerfEventArray[uint32]{}
)

type openEvent struct {
	PID  uint32
	Name [16]byte
}

func count(ctx *xdp.Context) xdp.Action {
	p := packet.Parse(ctx.Data())
	if !p.IsTCP() || !p.Payload.HasPrefix("GET ") {
		return xdp.Pass
	}
	src := p.Src()
	if n := requests.Lookup(src); n != nil {
		bpf.AtomicAdd(n, 1)
	} else {
		requests.Update(src, 1, bpf.NoExist)
	}
	return xdp.Pass
}

const a, b = "10.0.0.1:40000", "10.0.0.2:80"

func TestXDP(t *testing.T) {
	k := bpftest.New(t)
	req := bpftest.Packet{Src: a, Dst: b, Payload: "GET / HTTP/1.1\r\n"}
	for range 2 {
		if got := k.XDP(count, req); got.Verdict != xdp.Pass {
			t.Errorf("verdict %v", got.Verdict)
		}
	}
	k.XDP(count, bpftest.Packet{Src: b, Dst: a, Payload: "HTTP/1.1 200 OK\r\n"})
	k.XDP(count, bpftest.Data("too short"))
	got := bpftest.Entries(k, &requests)
	if len(got) != 1 || got[packet.MustParseAddr("10.0.0.1")] != 2 {
		t.Errorf("requests: %v", got)
	}
}

// encap puts four bytes of metadata and a header in front.
func encap(ctx *xdp.Context) xdp.Action {
	if !ctx.AdjustHead(-8).Ok() || !ctx.AdjustMeta(-4).Ok() {
		return xdp.Aborted
	}
	h := packet.At[[8]byte](ctx.Data(), 0)
	m := packet.At[[4]byte](ctx.Meta(), 0)
	if h == nil || m == nil {
		return xdp.Aborted
	}
	*h, *m = [8]byte{1, 2, 3}, [4]byte{9}
	ctx.AdjustTail(-1)
	return xdp.TX
}

func TestXDPResize(t *testing.T) {
	k := bpftest.New(t)
	in := bytes.Repeat([]byte{7}, 20)
	got := k.XDP(encap, bpftest.Data(in))
	want := append([]byte{1, 2, 3, 0, 0, 0, 0, 0}, in[:19]...)
	if got.Verdict != xdp.TX || !bytes.Equal(got.Data, want) || !bytes.Equal(got.Meta, []byte{9, 0, 0, 0}) {
		t.Errorf("%v, % x behind % x", got.Verdict, got.Data, got.Meta)
	}
}

func redirect(ctx *xdp.Context) xdp.Action {
	if ctx.IngressIfIndex == 9 {
		return ctx.Redirect(10)
	}
	return xdp.RedirectMap(ctx, &devices, ctx.RxQueueIndex, xdp.Drop)
}

func TestRedirect(t *testing.T) {
	k := bpftest.New(t)
	bpftest.SetTarget(k, &devices, 1, "eth1")
	queue := func(n uint32) func(*xdp.Context) {
		return func(c *xdp.Context) { c.RxQueueIndex = n }
	}
	pkt := bpftest.Packet{Src: a, Dst: b}
	if got := k.XDP(redirect, pkt, queue(1)); got.Verdict != xdp.Redirect || got.Redirect.Target != "eth1" {
		t.Errorf("queue 1: %+v", got)
	}
	if got := k.XDP(redirect, pkt, queue(2)); got.Verdict != xdp.Drop || got.Redirect != nil {
		t.Errorf("queue 2: %+v", got)
	}
	got := k.XDP(redirect, pkt, func(c *xdp.Context) { c.IngressIfIndex = 9 })
	if got.Verdict != xdp.Redirect || got.Redirect.IfIndex != 10 {
		t.Errorf("interface 9: %+v", got)
	}
}

func first(ctx *xdp.Context) xdp.Action {
	programs.TailCall(ctx, 1)
	return xdp.Aborted
}

func second(*xdp.Context) xdp.Action { return xdp.Drop }

func TestTailCall(t *testing.T) {
	k := bpftest.New(t)
	pkt := bpftest.Packet{Src: a, Dst: b}
	if got := k.XDP(first, pkt); got.Verdict != xdp.Aborted {
		t.Errorf("empty array: %v", got.Verdict)
	}
	bpftest.SetProgram(k, &programs, 1, second)
	if got := k.XDP(first, pkt); got.Verdict != xdp.Drop {
		t.Errorf("tail call: %v", got.Verdict)
	}
	bpftest.SetProgram(k, &programs, 1, first)
	if got := k.XDP(first, pkt); got.Verdict != xdp.Aborted {
		t.Errorf("endless tail calls: %v", got.Verdict)
	}
}

// rewrite moves a connection to another address and port, with tc's helpers.
func rewrite(ctx *tc.Context) tc.Action {
	p := packet.Parse(ctx.Data())
	if p.IPv4 == nil || p.TCP == nil || ctx.EtherType() != packet.TypeIPv4 {
		return tc.Next
	}
	l3, l4 := p.L3, p.L4
	oldIP, newIP := p.IPv4.DstIP, packet.IPv4Addr(192, 0, 2, 77)
	oldPort, newPort := p.TCP.DstPort, packet.Port(8080)
	ctx.L4CsumReplace(l4+16, uint64(oldIP), uint64(newIP), tc.CsumSize4|tc.PseudoHdr)
	ctx.L4CsumReplace(l4+16, uint64(oldPort), uint64(newPort), tc.CsumSize2)
	ctx.L3CsumReplace(l3+10, uint64(oldIP), uint64(newIP), tc.CsumSize4)
	tc.Store(ctx, l3+16, &newIP, 0)
	tc.Store(ctx, l4+2, &newPort, tc.InvalidateHash)
	ctx.VLANPush(packet.TypeVLAN, 7)
	ctx.CloneRedirect(3, tc.Ingress)
	return ctx.Redirect(4, tc.Egress)
}

func TestTC(t *testing.T) {
	k := bpftest.New(t)
	in := bpftest.Packet{Src: a, Dst: b, Payload: "odd"}
	got := k.TC(rewrite, in)
	in.Dst, in.VLANs = "192.0.2.77:8080", []uint16{7}
	if !bytes.Equal(got.Data, in.Bytes()) {
		t.Errorf("packet:\n% x, want\n% x", got.Data, in.Bytes())
	}
	if got.Verdict != tc.Redirect || got.Redirect.IfIndex != 4 || len(got.Clones) != 1 || got.Clones[0].IfIndex != 3 {
		t.Errorf("%v to %+v, clones %+v", got.Verdict, got.Redirect, got.Clones)
	}
}

// peek reads behind what is reachable directly.
func peek(ctx *tc.Context) tc.Action {
	p := packet.Parse(ctx.Data())
	var word [4]byte
	if len(p.Payload) != 0 || !ctx.LoadBytes(p.L7, word[:]).Ok() || string(word[:]) != "DATA" {
		return tc.Drop
	}
	if !ctx.Pull(0).Ok() {
		return tc.Drop
	}
	if p = packet.Parse(ctx.Data()); !p.Payload.HasPrefix("DATA") {
		return tc.Drop
	}
	captured.OutputPacket(ctx, &word4, ctx.Len)
	return tc.OK
}

var word4 uint32 = 4

func TestLinear(t *testing.T) {
	k := bpftest.New(t)
	in := bpftest.Packet{Src: a, Dst: b, Payload: "DATA"}
	if got := k.TC(peek, bpftest.Linear(in, 54)); got.Verdict != tc.OK {
		t.Errorf("verdict %v", got.Verdict)
	}
	s := bpftest.Samples(k, &captured)
	if len(s) != 1 || s[0].Value != 4 || !bytes.Equal(s[0].Packet, in.Bytes()) {
		t.Errorf("samples %v", s)
	}
}

func enrol(ctx *sk.OpsContext) sk.Reply {
	if ctx.Op == sk.PassiveEstablished {
		sk.UpdateHash(ctx, &peers, ctx.LocalPort, bpf.NoExist)
		ctx.SetCbFlags(sk.ReportStateChange)
	}
	return 0
}

func shortcut(ctx *sk.MsgContext) sk.Verdict {
	return sk.RedirectMsg(ctx, &peers, ctx.RemotePort.Host(), sk.Ingress)
}

func TestSockets(t *testing.T) {
	k := bpftest.New(t)
	ops := &sk.OpsContext{Op: sk.PassiveEstablished, LocalPort: 80}
	bpftest.Run(k, enrol, ops)
	if sk.CbFlags(ops.CbFlags) != sk.ReportStateChange {
		t.Errorf("flags %#x", ops.CbFlags)
	}
	to := func(port uint32) func(*sk.MsgContext) {
		return func(c *sk.MsgContext) { c.RemotePort = bpf.ToBE32(port) }
	}
	got := k.Msg(shortcut, bpftest.Data("hello"), to(80))
	if got.Verdict != sk.Pass || got.Redirect.Target != ops || got.Redirect.Flags != uint64(sk.Ingress) {
		t.Errorf("to port 80: %+v", got)
	}
	if got := k.Msg(shortcut, bpftest.Data("hello"), to(81)); got.Verdict != sk.Drop {
		t.Errorf("to port 81: %+v", got)
	}
}

func noMail(ctx *cgroup.SockAddrContext) cgroup.Verdict {
	if ctx.Port() == 25 {
		return cgroup.Deny
	}
	ctx.SetPort(ctx.Port() + 1)
	return cgroup.Allow
}

func TestSockAddr(t *testing.T) {
	k := bpftest.New(t)
	ctx := new(cgroup.SockAddrContext)
	ctx.SetPort(25)
	if v := bpftest.Run(k, noMail, ctx); v != cgroup.Deny {
		t.Errorf("port 25: %v", v)
	}
	ctx.SetPort(80)
	if v := bpftest.Run(k, noMail, ctx); v != cgroup.Allow || ctx.Port() != 81 {
		t.Errorf("port 80: %v, then %d", v, ctx.Port())
	}
}

type openat struct {
	trace.Common
	Nr, Dfd  int64
	Filename uint64
}

func open(ctx *openat) int32 {
	e := opened.Reserve()
	if e == nil {
		return 0
	}
	e.PID = bpf.CurrentPID()
	trace.ReadUserString(e.Name[:], ctx.Filename)
	opened.Submit(e)
	return 0
}

func TestTracepoint(t *testing.T) {
	k := bpftest.New(t)
	k.SetTask(bpftest.Task{PID: 42})
	k.SetMemory(0x7f00_0000, []byte("/etc/passwd\x00garbage"))
	bpftest.Run(k, open, &openat{Filename: 0x7f00_0000})
	want := openEvent{PID: 42, Name: [16]byte([]byte("/etc/passwd\x00\x00\x00\x00\x00"))}
	if got := bpftest.Events(k, &opened); len(got) != 1 || got[0] != want {
		t.Errorf("events %v", got)
	}
}

func onCall(ctx *trace.Regs) int32 {
	var v uint32
	if !trace.ReadUser(&v, ctx.Arg(1)).Ok() {
		return -1
	}
	return int32(v) + int32(ctx.Ret())
}

func TestProbe(t *testing.T) {
	k := bpftest.New(t)
	k.SetMemory(0x1000, []byte{1, 2, 3, 4, 5})
	regs := new(trace.Regs)
	regs.SetArg(1, 0x1001)
	if got := bpftest.Run(k, onCall, regs); got != 0x05040302+int32(regs.Ret()) {
		t.Errorf("%#x", got)
	}
	regs.SetArg(1, 0x1002)
	if got := bpftest.Run(k, onCall, regs); got != -1 {
		t.Errorf("read past the end: %#x", got)
	}
}

func TestCgroupSkbAndFilter(t *testing.T) {
	k := bpftest.New(t)
	in := bpftest.Packet{Src: a, Dst: b, NoEthernet: true, Payload: "x"}
	got := k.CgroupSkb(func(ctx *cgroup.SkbContext) cgroup.Verdict {
		if p := packet.ParseIP(ctx.Data()); p.TCP != nil && ctx.EtherType() == packet.TypeIPv4 && ctx.Len == 41 {
			return cgroup.Allow
		}
		return cgroup.Deny
	}, in)
	if got.Verdict != cgroup.Allow {
		t.Errorf("cgroup_skb: %v", got.Verdict)
	}
	keep := k.Filter(func(ctx *sk.FilterContext) sk.Keep {
		var proto [1]byte
		ctx.LoadBytesRelative(9, proto[:], sk.FromNetwork)
		return sk.Keep(proto[0])
	}, bpftest.Packet{Src: a, Dst: b})
	if keep.Verdict != 6 {
		t.Errorf("filter: %v", keep.Verdict)
	}
}

// A second kernel, and leaks, are reported.
func TestMistakes(t *testing.T) {
	var r recorder
	done := make(chan struct{})
	k := bpftest.New(t)
	go func() {
		defer close(done)
		bpftest.New(&r)
	}()
	<-done
	if r.fatal == "" {
		t.Error("a second kernel started")
	}
	defer func() {
		if recover() == nil {
			t.Error("Submit of something that was not reserved went through")
		}
	}()
	_ = k
	opened.Submit(new(openEvent))
}
