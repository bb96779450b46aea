package kern

import (
	"bytes"
	"slices"
	"testing"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/bpftest"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/tc"
)

// The ends of the tests' pair: the forwarder is 10.0.0.2 and 10.0.1.1.
const (
	theClient, itsFront   = "10.0.0.1:40000", "10.0.0.2:80"
	theBackend, itsSource = "10.0.1.2:8080", "10.0.1.1:50000"
)

// slot is the place of the tests' pair.
const slot = 3

// What the client's and the backend's next bytes are numbered. Either side's own
// connection has its numbers further on by shift.
const (
	up, down uint32 = 1000, 5000
	shift    uint32 = 100
)

// spliced makes a pair that has just been spliced.
func spliced(t *testing.T) (*bpftest.Kernel, *Conn, *Meter) {
	t.Helper()
	k := bpftest.New(t)
	c, m := Conns.Lookup(slot), Meters.Lookup(slot)
	c.State, m.State = Spliced, Spliced
	ends := [2][2]string{Client: {theClient, itsFront}, Backend: {theBackend, itsSource}}
	for i, end := range ends {
		var s segment
		p := bpftest.Packet{Src: end[0], Dst: end[1]}
		k.TC(func(ctx *tc.Context) tc.Action { s.parse(ctx, packet.EthernetLen); return tc.OK }, p)
		c.Sides[i] = Side{Tuple: s.from(), Known: knownAll, Out: 7}
		if err := Flows.Update(s.from(), Ref{Slot: slot, Side: uint32(i)}, bpf.Any); !err.Ok() {
			t.Fatal(err)
		}
	}
	client, backend := &c.Sides[Client], &c.Sides[Backend]
	client.Next, backend.Acked = up, up+shift
	backend.Next, client.Acked = down, down+shift
	client.Seq, client.Ack = shift, ^shift+1
	backend.Seq, backend.Ack = shift, ^shift+1
	return k, c, m
}

// says is a segment of one side; seq and ack count from the first byte after
// the splice.
type says struct {
	side     int
	flags    packet.TCPFlags
	seq, ack uint32
	size     int
}

func (s says) packet() bpftest.Packet {
	p := bpftest.Packet{Flags: packet.ACK | s.flags, Payload: string(make([]byte, s.size))}
	if s.side == Client {
		p.Src, p.Dst, p.Seq, p.Ack = theClient, itsFront, up+s.seq, down+shift+s.ack
	} else {
		p.Src, p.Dst, p.Seq, p.Ack = theBackend, itsSource, down+s.seq, up+shift+s.ack
	}
	return p
}

// TestEnds lets segments come in the orders that networks have in store, and looks at
// what the meter says in the end.
func TestEnds(t *testing.T) {
	const (
		fin = packet.FIN
		rst = packet.RST
	)
	// Both sides say ten bytes, and the client ends first.
	clean := []says{
		{Client, 0, 0, 0, 10}, {Backend, 0, 0, 10, 10}, {Client, fin, 10, 10, 0},
		{Backend, fin, 10, 11, 0}, {Client, 0, 11, 11, 0},
	}
	closed := Meter{State: Ended, Bytes: [2]uint64{10, 10}, Fins: [2]uint32{1, 1}, FirstFin: 1 + Client}
	tests := []struct {
		name     string
		segments []says
		want     Meter
		events   int
	}{
		{"clean end", clean, closed, 1},
		{"everything twice", append(clean, clean...), closed, 1},
		{"half an end", clean[:3], Meter{State: Spliced, Bytes: [2]uint64{10, 10}, Fins: [2]uint32{Client: 1}, FirstFin: 1 + Client}, 0},
		{"end with the last byte", []says{{Backend, fin, 0, 0, 10}, {Backend, fin, 0, 0, 10}},
			Meter{State: Spliced, Bytes: [2]uint64{Backend: 10}, Fins: [2]uint32{Backend: 1}, FirstFin: 1 + Backend}, 0},
		{"acknowledgement behind an end that was lost",
			[]says{{Client, 0, 0, 0, 10}, {Backend, 0, 0, 10, 10}, {Client, 0, 11, 10, 0}},
			Meter{State: Spliced, Bytes: [2]uint64{10, 10}}, 0},
		{"the end again, behind an acknowledgement",
			[]says{{Client, 0, 0, 0, 10}, {Client, 0, 11, 0, 0}, {Client, fin, 10, 0, 0}, {Client, 0, 11, 0, 0}},
			Meter{State: Spliced, Bytes: [2]uint64{Client: 10}, Fins: [2]uint32{Client: 1}, FirstFin: 1 + Client}, 0},
		{"the end before the bytes", []says{{Client, fin, 10, 0, 0}, {Client, 0, 0, 0, 10}, {Client, 0, 11, 0, 0}},
			Meter{State: Spliced, Bytes: [2]uint64{Client: 10}, Fins: [2]uint32{Client: 1}, FirstFin: 1 + Client}, 0},
		{"keep-alive with a byte", []says{{Client, 0, 0, 0, 10}, {Client, 0, 9, 0, 1}},
			Meter{State: Spliced, Bytes: [2]uint64{Client: 10}}, 0},
		{"reset", []says{{Client, 0, 0, 0, 10}, {Client, rst, 10, 0, 0}},
			Meter{State: Spliced, Bytes: [2]uint64{Client: 10}, Reset: 1 + Client}, 1},
		{"reset with bytes on their way", []says{{Client, 0, 0, 0, 10}, {Client, rst, 0, 0, 0}},
			Meter{State: Spliced, Bytes: [2]uint64{Client: 10}, Reset: 1 + Client}, 1},
		{"reset behind the end", []says{{Client, fin, 0, 0, 0}, {Client, rst, 1, 0, 0}},
			Meter{State: Spliced, Fins: [2]uint32{Client: 1}, FirstFin: 1 + Client, Reset: 1 + Client}, 1},
		{"reset that nobody believes", []says{{Client, 0, 0, 0, 10}, {Client, rst, 11, 0, 0}, {Backend, 0, 0, 10, 0}, {Client, rst, 9, 0, 0}},
			Meter{State: Spliced, Bytes: [2]uint64{Client: 10}}, 0},
		{"reset in answer to what came too late", append(clean[:5:5], says{Backend, rst, 11, 0, 0}), closed, 1},
		{"reset, and one of who was reset", []says{{Client, rst, 0, 0, 0}, {Backend, rst, 0, 0, 0}},
			Meter{State: Spliced, Reset: 1 + Client}, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			k, _, m := spliced(t)
			for _, s := range test.segments {
				if r := k.TC(Ingress, s.packet()); r.Redirect == nil {
					t.Errorf("%+v was not passed on: %v", s, r.Verdict)
				}
			}
			got := *m
			got.Last = 0
			events := slices.Repeat([]uint32{slot}, test.events)
			if told := bpftest.Events(k, &Events); !slices.Equal(told, events) {
				t.Errorf("told %d, want %d", told, events)
			}
			if got != test.want {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
		})
	}
}

// TestNewConnection: a SYN never reaches the other side. While the pair may be alive a
// question takes its place, and when it is over the SYN is the forwarder's.
func TestNewConnection(t *testing.T) {
	syn := bpftest.Packet{Src: theClient, Dst: itsFront, Flags: packet.SYN, Seq: 77, Window: 500}
	t.Run("before the splice", func(t *testing.T) {
		k, c, _ := spliced(t)
		c.State = Watching
		if r := k.TC(Ingress, syn); r.Verdict != tc.Next || c.Sides[Client].Next != up {
			t.Errorf("%v, next is %d", r.Verdict, c.Sides[Client].Next)
		}
	})
	k, c, m := spliced(t)
	r := k.TC(Ingress, syn)
	want := bpftest.Packet{
		Src: itsSource, Dst: theBackend, Flags: packet.ACK, Seq: up + shift - 1, Ack: down, Window: 500,
	}
	if r.Redirect == nil || !bytes.Equal(r.Data, want.Bytes()) {
		t.Errorf("got %v, %x\nwant %x", r.Verdict, r.Data, want.Bytes())
	}
	if m.Bytes != [2]uint64{} || m.Last != 0 || c.State != Spliced {
		t.Errorf("the pair has changed: %+v", *m)
	}

	quick := syn
	quick.Payload = "GET / HTTP/1.1\r\n"
	if r := k.TC(Ingress, quick); r.Verdict != tc.Drop {
		t.Errorf("a SYN with data: %v", r.Verdict)
	}

	k.TC(Ingress, says{Client, packet.RST, 0, 0, 0}.packet())
	if r := k.TC(Ingress, syn); r.Verdict != tc.Next || r.Redirect != nil || c.State != Unused {
		t.Errorf("after a reset: %v, state %d", r.Verdict, c.State)
	}
}
