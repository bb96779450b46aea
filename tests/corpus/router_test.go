package corpus

import (
	"net"
	"os"

	"github.com/cilium/ebpf"

	"github.com/waggle-bpf/waggle/bpf/bpftest"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/sk"
	"github.com/waggle-bpf/waggle/bpf/xdp"
	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/tests/corpus/router"
)

// twinRouter asks tables of the test's natively; in the kernel, liveRouter asks
// real ones.
func twinRouter(w *world) {
	if w.k == nil {
		for _, in := range []bpftest.Input{arp, bpftest.Data(make([]byte, 14))} {
			passes(w, "Route", router.Route, in, xdp.Pass)
		}
		return
	}
	answer := xdp.FIBSuccess
	w.k.SetFIB(func(q *sk.FIBLookup) sk.FIBResult {
		q.IfIndex, q.SrcMAC, q.DstMAC = 7, macB, macC
		return answer
	})
	bpftest.SetTarget(w.k, &router.Ports, 7, "eth7")
	for _, in := range []bpftest.Packet{tcp4, udp6} {
		in.TTL = 64
		out := in
		out.TTL, out.SrcMAC, out.DstMAC = 63, macB, macC
		answer = xdp.FIBSuccess
		changes(w, "Route", router.Route, in, xdp.Redirect, out)
		answer = xdp.FIBNoNeighbour
		passes(w, "Route", router.Route, in, xdp.Pass)
		answer = xdp.FIBProhibit
		passes(w, "Route", router.Route, in, xdp.Drop)
		in.TTL = 1
		passes(w, "Route", router.Route, in, xdp.Pass)
	}
	w.equal("successes", at(w, "Results", &router.Results, uint32(xdp.FIBSuccess)), uint64(2))
}

// liveRouter runs the program in a network with a neighbour, as for a packet that
// came from there.
func liveRouter(w *world) {
	pair := testkit.NewPair(w.T)
	l := pair.B.Listen(w.T, pair.B.V4)
	pair.A.Dial(w.T, l.Addr()) // now A knows B's Ethernet address
	pair.A.NS.Do(w.T, func() {
		w.must(os.WriteFile("/proc/sys/net/ipv4/conf/all/forwarding", []byte("1"), 0))
		w.must(os.WriteFile("/proc/sys/net/ipv4/conf/"+pair.A.Device+"/forwarding", []byte("1"), 0))
		w.must(os.WriteFile("/proc/sys/net/ipv6/conf/all/forwarding", []byte("1"), 0))
		device, err := net.InterfaceByName(pair.A.Device)
		w.must(err)
		w.put("Ports", uint32(device.Index), uint32(device.Index))

		in := bpftest.Packet{Src: "10.77.0.9:1", Dst: pair.B.V4.String() + ":2", SrcMAC: macA, DstMAC: macB, TTL: 64, Payload: "hello"}
		r := w.runOn(device.Index, in)
		w.equal("verdict", verdict[xdp.Action](r), xdp.Redirect)
		p := packet.Parse(r.data)
		w.equal("source address", net.HardwareAddr(p.Eth.Src[:]).String(), device.HardwareAddr.String())
		out := in
		out.TTL, out.SrcMAC, out.DstMAC = 63, p.Eth.Src, p.Eth.Dst
		w.equal("packet", dump(r.data), dump(out.Bytes()))
		if p.Eth.Dst == macB {
			w.Error("the destination address is the old one")
		}

		unreachable := in
		unreachable.Dst = "192.0.2.1:2"
		r = w.runOn(device.Index, unreachable)
		w.equal("packet", dump(r.data), dump(unreachable.Bytes()))
		if v := verdict[xdp.Action](r); v == xdp.Redirect {
			w.Errorf("verdict %v for a packet without a route", v)
		}
	})
}

// runOn runs Route on a packet that arrived at a device.
func (w *world) runOn(device int, in bpftest.Input) result {
	w.Helper()
	p, err := w.h.Program("Route")
	w.must(err)
	ctx := struct{ Data, End, Meta, Ingress, Queue, Egress uint32 }{End: uint32(len(in.Bytes())), Ingress: uint32(device)}
	opts := &ebpf.RunOptions{Data: in.Bytes(), DataOut: make([]byte, len(in.Bytes())), Context: ctx}
	ret, err := p.Run(opts)
	w.must(err)
	return result{int32(ret), opts.DataOut}
}
