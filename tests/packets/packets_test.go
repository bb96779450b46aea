// Package packets compares package packet in the kernel with itself in Go: the
// same packets, whole, cut off and damaged, through both.
package packets

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"

	"github.com/waggle-bpf/waggle/bpf/bpftest"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/xdp"
	"github.com/waggle-bpf/waggle/compile"
	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/tests/packets/kern"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const a4, b4, a6, b6 = "10.0.0.1:40000", "10.0.0.2:80", "[2001:db8::1]:40000", "[2001:db8::2]:80"

var options = []byte{2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 3, 3, 7}

var seeds = []bpftest.Packet{
	{Src: a4, Dst: b4, Payload: "GET /index.html HTTP/1.1\r\nHost: example.com\r\n\r\n"},
	{Src: a6, Dst: b6, Payload: "POST /" + strings.Repeat("x", 250) + " HTTP/1.0\r\n", VLANs: []uint16{0x2064}},
	{Src: a4, Dst: b4, Payload: "HTTP/1.1 404 Not Found\r\n", IPv4Options: make([]byte, 12)},
	{Src: a4, Dst: b4, Flags: packet.SYN, TCPOptions: options, Pad: 3},
	{Src: a6, Dst: b6, TCPOptions: append(options, 1, 1, 5, 10, 1, 2, 3, 4, 5, 6, 7, 8), TOS: 0xb8, FlowLabel: 0x54321},
	{Src: a4, Dst: b4, Proto: packet.ProtoUDP, Payload: "some datagram", VLANs: []uint16{7, 8}},
	{Src: a6, Dst: b6, Proto: packet.ProtoUDP, Payload: "x", MoreFragments: true},
	{Src: a4, Dst: b4, FragmentOffset: 64, Payload: "GET / HTTP/1.1\r\n"},
	{Src: "fe80::1", Dst: "fe80::2", Proto: packet.ProtoICMPv6, ICMPType: 128, Payload: "ping"},
	{Src: a6, Dst: b6, Payload: "DELETE /x HTTP/1.1\r\n", IPv6Headers: []bpftest.Extension{
		{Proto: packet.ProtoHopByHop, Data: make([]byte, 7)},
		{Proto: packet.ProtoDestOpts, Data: append([]byte{2}, make([]byte, 22)...)},
		{Proto: packet.ProtoAH, Data: append([]byte{4}, make([]byte, 22)...)},
		{Proto: packet.ProtoRouting, Data: make([]byte, 7)},
	}},
}

// inputs returns the seeds, their beginnings, and copies with random damage.
func inputs(n int) [][]byte {
	var list [][]byte
	for i := range n {
		p := seeds[i%len(seeds)]
		p.NoEthernet = i%3 == 2
		b := p.Bytes()
		switch i / len(seeds) % 4 {
		case 1:
			b = b[:rand.N(len(b)+1)]
		case 2, 3:
			for range 1 + rand.N(4) {
				b[rand.N(min(len(b), 100))] ^= byte(1 << rand.N(8))
			}
		}
		if len(b) >= 14 { // what the kernel takes
			list = append(list, b)
		}
	}
	return list
}

// load compiles package kern and loads it.
func load(t *testing.T) *ebpf.Collection {
	t.Helper()
	obj, err := compile.Compile(context.Background(), compile.Config{Dir: "kern", Check: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(obj.Faults) > 0 {
		t.Errorf("reading packets may fault: %v", obj.Faults)
	}
	return loadObject(t, obj.ELF)
}

// loadObject puts an object into the kernel until the test ends.
func loadObject(t *testing.T, elf []byte) *ebpf.Collection {
	t.Helper()
	testkit.RequireRoot(t)
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(elf))
	if err != nil {
		t.Fatal(err)
	}
	c, err := ebpf.NewCollection(spec)
	var ve *ebpf.VerifierError
	if errors.As(err, &ve) {
		t.Fatalf("%+v", ve)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestKernelAgrees(t *testing.T) {
	c := load(t)
	k := bpftest.New(t)
	found := c.Maps["Found"]
	for name, native := range map[string]func(*xdp.Context) xdp.Action{
		"Parse": kern.Parse, "ParseIP": kern.ParseIP, "HTTP": kern.HTTP, "Status": kern.Status,
		"Options": kern.Options, "Rewrite": kern.Rewrite,
	} {
		prog := c.Programs[name]
		for _, in := range inputs(800) {
			k.Reset()
			want := k.XDP(native, bpftest.Data(in))
			if err := found.Put(uint32(0), kern.Summary{}); err != nil {
				t.Fatal(err)
			}
			verdict, data, err := prog.Test(in)
			if err != nil {
				t.Fatal(err)
			}
			var got kern.Summary
			if err := found.Lookup(uint32(0), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(*kern.Found.Lookup(0), got); diff != "" {
				t.Fatalf("%s of % x (-Go +kernel):\n%s", name, in, diff)
			}
			if xdp.Action(verdict) != want.Verdict || !bytes.Equal(data, want.Data) {
				t.Fatalf("%s of % x:\n%v % x, in Go\n%v % x", name, in, xdp.Action(verdict), data, want.Verdict, want.Data)
			}
		}
	}
}
