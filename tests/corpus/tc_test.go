package corpus

import (
	"time"

	"github.com/waggle-bpf/waggle/bpf/bpftest"
	"github.com/waggle-bpf/waggle/bpf/cgroup"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/tc"
	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/load"
	"github.com/waggle-bpf/waggle/tests/corpus/cgroupcount"
	"github.com/waggle-bpf/waggle/tests/corpus/preservedscp"
	"github.com/waggle-bpf/waggle/tests/corpus/ratelimit"
	"github.com/waggle-bpf/waggle/tests/corpus/tcpackets"
	"github.com/waggle-bpf/waggle/tests/corpus/tcreply"
	"github.com/waggle-bpf/waggle/tests/corpus/tcxcounters"
	"github.com/waggle-bpf/waggle/tests/corpus/tcxdemo"
	"github.com/waggle-bpf/waggle/tests/corpus/txqueue"
)

func twinTCReply(w *world) {
	zero(w, &tcreply.Rewritten)
	for _, in := range []bpftest.Packet{tcp4, tcp6, udp4, udp6} {
		passes(w, "Reply", tcreply.Reply, in, tc.OK)
		in.Src = in.Src[:len(in.Src)-len("40000")] + "4039"
		out := in
		out.Src = in.Src[:len(in.Src)-len("4039")] + "4040"
		changes(w, "Reply", tcreply.Reply, in, tc.OK, out)
	}
	passes(w, "Reply", tcreply.Reply, arp, tc.OK)
	w.equal("rewritten", value(w, "Rewritten", &tcreply.Rewritten), uint64(4))
}

func twinTCXCounters(w *world) {
	zero(w, &tcxcounters.Received)
	zero(w, &tcxcounters.Sent)
	passes(w, "Ingress", tcxcounters.Ingress, tcp4, tc.Next)
	passes(w, "Ingress", tcxcounters.Ingress, udp6, tc.Next)
	passes(w, "Egress", tcxcounters.Egress, tcp6, tc.Next)
	w.equal("received", value(w, "Received", &tcxcounters.Received), uint64(2))
	w.equal("sent", value(w, "Sent", &tcxcounters.Sent), uint64(1))
}

func liveTCXCounters(w *world) {
	_, err := w.h.AttachAll(load.Targets{Target: load.Target{Interfaces: []string{"lo"}}})
	w.must(err)
	w.talk("127.0.0.1:0", "hello")
	// The last packets may still be on their way when both ends have closed.
	w.eventually("every packet of a connection, at least 6, is sent and received", func() bool {
		received, sent := value(w, "Received", &tcxcounters.Received), value(w, "Sent", &tcxcounters.Sent)
		return received >= 6 && received == sent
	})
}

func twinTCPackets(w *world) {
	zero(w, &tcpackets.LastLen)
	zero(w, &tcpackets.LastTTL)
	passes(w, "Log", tcpackets.Log, tcp6, tc.OK)
	w.equal("length", value(w, "LastLen", &tcpackets.LastLen), uint16(0))
	in := udp4
	in.TTL = 17
	passes(w, "Log", tcpackets.Log, in, tc.OK)
	w.equal("length", value(w, "LastLen", &tcpackets.LastLen), uint16(20+8+5))
	w.equal("ttl", value(w, "LastTTL", &tcpackets.LastTTL), uint8(17))
	if w.k != nil {
		w.equal("log", w.k.Log(), []string{"IP packet: total length 33, ttl 17"})
	}
}

func twinTXQueue(w *world) {
	for _, in := range anything {
		passes(w, "Choose", txqueue.Choose, in, tc.OK)
	}
	https := tcp6
	https.Dst = "[2001:db8::2]:443"
	passes(w, "Choose", txqueue.Choose, https, tc.OK)
	if w.k != nil {
		var ctx *tc.Context
		w.k.TC(txqueue.Choose, https, func(c *tc.Context) { ctx = c })
		w.equal("queue", ctx.QueueMapping, uint32(4))
		w.k.TC(txqueue.Choose, tcp6, func(c *tc.Context) { ctx = c })
		w.equal("queue", ctx.QueueMapping, uint32(0))
	}
}

func twinTCXDemo(w *world) {
	zero(w, &tcxdemo.Looked)
	zero(w, &tcxdemo.Decided)
	passes(w, "Look", tcxdemo.Look, tcp6, tc.Next)
	w.equal("length", value(w, "LastLen", &tcxdemo.LastLen), uint32(len(tcp6.Bytes())))
	w.equal("protocol", value(w, "LastProtocol", &tcxdemo.LastProtocol), uint16(0x86dd))
	passes(w, "Decide", tcxdemo.Decide, tcp6, tc.OK)
	passes(w, "Decide", tcxdemo.Decide, arp, tc.Drop)
	w.equal("looked", value(w, "Looked", &tcxdemo.Looked), uint64(1))
	w.equal("decided", value(w, "Decided", &tcxdemo.Decided), uint64(2))
}

func liveTCXDemo(w *world) {
	testkit.NeedKernel(w.T, "6.6", "an order of programs on one hook")
	for _, p := range []string{"Look", "Decide"} { // in this order
		_, err := w.h.Attach(p, load.Target{Interfaces: []string{"lo"}})
		w.must(err)
	}
	w.talk("127.0.0.1:0", "hello")
	w.eventually("both look at every packet of a connection, at least 6", func() bool {
		looked, decided := value(w, "Looked", &tcxdemo.Looked), value(w, "Decided", &tcxdemo.Decided)
		return looked >= 6 && looked == decided
	})
	w.equal("interface", value(w, "LastIfIndex", &tcxdemo.LastIfIndex), uint32(1))
	w.equal("protocol", value(w, "LastProtocol", &tcxdemo.LastProtocol), uint16(0x0800))
}

func twinPreserveDSCP(w *world) {
	for i, in := range []bpftest.Packet{tcp4, tcp6, udp4, udp6} {
		passes(w, "Write", preservedscp.Write, bpftest.Data(arp), tc.OK)
		marked, hidden, shown := in, in, in
		marked.TOS = uint8(i+1)<<4 | 1 // DSCP and congestion notification
		hidden.TOS = 2
		shown.TOS = uint8(i+1)<<4 | 2
		passes(w, "Read", preservedscp.Read, marked, tc.OK)
		changes(w, "Write", preservedscp.Write, hidden, tc.OK, shown)
	}
}

func twinRateLimit(w *world) {
	zero(w, &ratelimit.Dropped)
	for range 3 {
		passes(w, "Limit", ratelimit.Limit, tcp4, tc.OK)
	}
	passes(w, "Limit", ratelimit.Limit, tcp4, tc.Drop)
	passes(w, "Limit", ratelimit.Limit, tcp6, tc.OK)
	other := udp4
	other.Src = "10.0.0.77:5"
	passes(w, "Limit", ratelimit.Limit, other, tc.OK)
	w.equal("dropped", value(w, "Dropped", &ratelimit.Dropped), uint64(1))
	w.equal("tokens", at(w, "Buckets", &ratelimit.Buckets, packet.IPv4Addr(10, 0, 0, 77)).Tokens, uint64(2))
	if w.k != nil {
		w.k.Advance(time.Minute)
		passes(w, "Limit", ratelimit.Limit, tcp4, tc.OK)
		w.k.Advance(time.Hour)
		for _, want := range []tc.Action{tc.OK, tc.OK, tc.OK, tc.Drop} {
			passes(w, "Limit", ratelimit.Limit, tcp4, want)
		}
	}
}

func twinCgroupCount(w *world) {
	size := uint64(0)
	for _, in := range []bpftest.Packet{tcp4, udp4, tcp6} {
		r := run(w, "Egress", cgroupcount.Egress, in)
		w.equal("verdict", verdict[cgroup.Verdict](r), cgroup.Allow)
		size += uint64(len(in.Bytes()) - packet.EthernetLen)
	}
	w.equal("packets", at(w, "Counts", &cgroupcount.Counts, cgroupcount.Packets), uint64(3))
	w.equal("bytes", at(w, "Counts", &cgroupcount.Counts, cgroupcount.Bytes), size)
}

func liveCgroupCount(w *world) {
	w.inCgroup()
	w.talk("127.0.0.1:0", "hello")
	w.talk("[::1]:0", "hello")
	w.eventually("two connections have 12 packets", func() bool {
		return at(w, "Counts", &cgroupcount.Counts, cgroupcount.Packets) >= 12
	})
}
