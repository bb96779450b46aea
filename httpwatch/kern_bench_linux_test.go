package httpwatch

import (
	"testing"

	"github.com/waggle-bpf/waggle/bpf/bpftest"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/httpwatch/internal/object"
	"github.com/waggle-bpf/waggle/httpwatch/kern"
	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/load"
)

// BenchmarkKernelHalf measures one packet in the kernel, by what there is to do. Nobody
// reads the requests, so that -benchtime has to be 10000x, which fit into the ring; that
// an empty program takes 28 ns is the kernel's way of measuring.
func BenchmarkKernelHalf(b *testing.B) {
	testkit.RequireRoot(b)
	obj, err := object.OpenKern()
	if err != nil {
		b.Fatal(err)
	}
	if err := obj.Set("bpf_WakeupBytes", uint64(1<<30)); err != nil {
		b.Fatal(err)
	}
	k, err := obj.Load(load.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer k.Close()
	prog, err := k.Program("WatchEthernet")
	if err != nil {
		b.Fatal(err)
	}
	base := bpftest.Packet{Src: clientAddr, Dst: serverAddr, Seq: 1000}
	run := func(name string, p bpftest.Packet) {
		b.Run(name, func(b *testing.B) {
			_, took, err := prog.Benchmark(p.Bytes(), b.N, nil)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(took.Nanoseconds()), "ns/packet")
		})
	}
	run("ack", base)
	v6 := base
	v6.Src, v6.Dst = "[fd00::1]:40000", "[fd00::2]:80"
	run("ack IPv6", v6)
	udp := base
	udp.Proto, udp.Payload = packet.ProtoUDP, "x"
	run("udp", udp)
	stranger := base
	stranger.Src, stranger.Payload = "10.0.0.9:1", "\x17\x03\x03"
	run("stranger", stranger)
	seen := base
	seen.Payload = get("/index.html")
	run("seen before", seen)
	// A flow that waits for a byte before: so its packets are never old ones.
	ahead := seen
	ahead.Src = "10.0.0.8:40000"
	flow := kern.Flow{Src: packet.MustParseAddr("10.0.0.8"), Dst: packet.MustParseAddr("10.0.0.2"), SrcPort: 40000, DstPort: 80}
	const forwarding = 1
	if err := k.Flows.Put(flow, kern.State{Mode: forwarding, Next: ahead.Seq - 10}); err != nil {
		b.Fatal(err)
	}
	run("request", ahead)
}
