package kern

import (
	"testing"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/bpftest"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/sk"
)

const cookie = 77

// conn is a connection as the program sees it.
func conn(port uint32, s *sk.Sock) *sk.OpsContext {
	return &sk.OpsContext{
		Family: sk.AFInet, RemoteIP4: packet.IPv4Addr(10, 0, 0, 7), RemotePort: bpf.ToBE32(40000), LocalPort: port, Sk: s,
	}
}

// run runs the program for an event of a connection.
func run(t *testing.T, k *bpftest.Kernel, ctx *sk.OpsContext) {
	t.Helper()
	bpftest.SetCookie(k, ctx, cookie)
	if r := bpftest.Run(k, Watch, ctx); r != 1 {
		t.Errorf("returned %d: others' answers are overruled", r)
	}
}

func TestOpened(t *testing.T) {
	k := bpftest.New(t)
	if err := Ports.Update(22, true, bpf.Any); !err.Ok() {
		t.Fatal(err)
	}
	for _, test := range []struct {
		op   sk.Op
		port uint32
		want bool
	}{
		{sk.PassiveEstablished, 22, true},
		{sk.PassiveEstablished, 23, false},
		{sk.ActiveEstablished, 22, false},
		{sk.ConnectStart, 22, false},
		{sk.Listen, 22, false},
		{sk.RTT, 22, false},
	} {
		before := len(bpftest.Events(k, &Events))
		ctx := conn(test.port, new(sk.Sock))
		ctx.Op = test.op
		ctx.CbFlags = uint32(sk.ReportRTT) // somebody else's
		run(t, k, ctx)
		events := bpftest.Events(k, &Events)[before:]
		if (len(events) == 1) != test.want {
			t.Fatalf("%v, port %d: %+v", test.op, test.port, events)
		}
		want := uint32(sk.ReportRTT)
		if test.want {
			want |= uint32(sk.ReportStateChange)
			e := events[0]
			if e.Kind != Opened || e.Cookie != cookie || e.Client.String() != "10.0.0.7" || e.ClientPort != 40000 || e.Port != 22 || e.In != 0 || e.Out != 0 {
				t.Errorf("got %+v", e)
			}
		}
		if ctx.CbFlags != want {
			t.Errorf("%v, port %d: flags %b, want %b", test.op, test.port, ctx.CbFlags, want)
		}
	}
}

// step is a change of state, with the kernel's counters at that time.
type step struct {
	from, to        sk.State
	received, acked uint64
	unacked         uint32
}

// TestClosed: ends of all kinds; what counts is payload.
func TestClosed(t *testing.T) {
	const in, out = 1000, 2000
	for _, test := range []struct {
		name    string
		steps   []step
		in, out uint64
	}{
		{"by the client", []step{
			{sk.Established, sk.CloseWait, in + 1, out, 0},
			{sk.CloseWait, sk.LastAck, in + 1, out, 0},
			{sk.LastAck, sk.Closed, in + 1, out + 1, 0},
		}, in, out},
		{"by the client, who doesn't acknowledge our end", []step{
			{sk.Established, sk.CloseWait, in + 1, out, 0},
			{sk.CloseWait, sk.LastAck, in + 1, out, 1},
			{sk.LastAck, sk.Closed, in + 1, out, 1},
		}, in, out},
		{"by the service", []step{
			{sk.Established, sk.FinWait1, in, out, 1},
			{sk.FinWait1, sk.FinWait2, in, out + 1, 0},
			{sk.FinWait2, sk.Closed, in + 1, out + 1, 0},
		}, in, out},
		{"by the service, which doesn't wait for the client's end", []step{
			{sk.Established, sk.FinWait1, in, out, 1},
			{sk.FinWait1, sk.FinWait2, in, out + 1, 0},
			{sk.FinWait2, sk.Closed, in, out + 1, 0},
		}, in, out},
		{"by the service, and more came", []step{
			{sk.Established, sk.FinWait1, in - 300, out, 1},
			{sk.FinWait1, sk.FinWait2, in - 300, out + 1, 0},
			{sk.FinWait2, sk.Closed, in + 1, out + 1, 0},
		}, in, out},
		{"by both", []step{
			{sk.Established, sk.FinWait1, in, out, 1},
			{sk.FinWait1, sk.Closing, in + 1, out, 1},
			{sk.Closing, sk.Closed, in + 1, out + 1, 0},
		}, in, out},
		{"reset", []step{{sk.Established, sk.Closed, in, out, 5}}, in, out},
		{"reset after the client's end", []step{
			{sk.Established, sk.CloseWait, in + 1, out, 0},
			{sk.CloseWait, sk.Closed, in + 1, out, 7},
		}, in, out},
		{"never used", []step{{sk.SynRecv, sk.Closed, 0, 0, 0}}, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			k := bpftest.New(t)
			if err := Ports.Update(22, true, bpf.Any); !err.Ok() {
				t.Fatal(err)
			}
			socket := new(sk.Sock)
			for _, s := range test.steps {
				ctx := conn(22, socket)
				ctx.Op = sk.StateChange
				ctx.Args[0], ctx.Args[1] = uint32(s.from), uint32(s.to)
				ctx.BytesReceived, ctx.BytesAcked = s.received, s.acked
				ctx.SndNxt, ctx.SndUna = 100, 100-s.unacked
				run(t, k, ctx)
			}
			events := bpftest.Events(k, &Events)
			if len(events) != 1 || events[0].Kind != Closed || events[0].In != test.in || events[0].Out != test.out {
				t.Errorf("got %+v, want %d in, %d out", events, test.in, test.out)
			}
		})
	}
}

// TestNotClosed: ends that are none of a client's connection.
func TestNotClosed(t *testing.T) {
	k := bpftest.New(t)
	if err := Ports.Update(22, true, bpf.Any); !err.Ok() {
		t.Fatal(err)
	}
	for port, from := range map[uint32]sk.State{22: sk.Listening, 23: sk.Established} {
		ctx := conn(port, new(sk.Sock))
		ctx.Op = sk.StateChange
		ctx.Args[0], ctx.Args[1] = uint32(from), uint32(sk.Closed)
		run(t, k, ctx)
	}
	if events := bpftest.Events(k, &Events); len(events) > 0 {
		t.Errorf("got %+v", events)
	}
}

func TestFull(t *testing.T) {
	k := bpftest.New(t)
	if err := Ports.Update(22, true, bpf.Any); !err.Ok() {
		t.Fatal(err)
	}
	before := Missed
	bpftest.Fail(k, &Events, 2)
	for range 3 {
		ctx := conn(22, new(sk.Sock))
		ctx.Op = sk.PassiveEstablished
		run(t, k, ctx)
	}
	if events := bpftest.Events(k, &Events); len(events) != 1 || Missed-before != 2 {
		t.Errorf("%d events, %d missed", len(events), Missed-before)
	}
}
