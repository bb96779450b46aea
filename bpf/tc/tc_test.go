package tc_test

import (
	"bytes"
	"testing"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/bpftest"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/sk"
	"github.com/waggle-bpf/waggle/bpf/tc"
)

var in = bpftest.Packet{Src: "10.0.0.1:1000", Dst: "10.0.0.2:80", Payload: "hello"}

// change runs f as a tc program on a packet and returns the packet afterwards.
func change(k *bpftest.Kernel, p bpftest.Input, f func(*tc.Context) bpf.Errno) ([]byte, bpf.Errno) {
	var err bpf.Errno
	r := k.TC(func(c *tc.Context) tc.Action {
		err = f(c)
		return tc.OK
	}, p)
	return r.Data, err
}

func TestResize(t *testing.T) {
	k := bpftest.New(t)
	tagged := in
	tagged.VLANs = []uint16{0x2007}
	plain, vlan := in.Bytes(), tagged.Bytes()
	room := func(at int) []byte {
		return append(append(bytes.Clone(plain[:at]), make([]byte, 8)...), plain[at:]...)
	}
	tests := []struct {
		name string
		in   []byte
		f    func(*tc.Context) bpf.Errno
		want []byte
		err  bpf.Errno
	}{
		{"push tag", plain, func(c *tc.Context) bpf.Errno { return c.VLANPush(packet.TypeVLAN, 0x2007) }, vlan, 0},
		{"pop tag", vlan, (*tc.Context).VLANPop, plain, 0},
		{"pop no tag", plain, (*tc.Context).VLANPop, plain, 0},
		{"shorten", plain, func(c *tc.Context) bpf.Errno { return c.ChangeTail(54) }, plain[:54], 0},
		{"lengthen", plain[:54], func(c *tc.Context) bpf.Errno { return c.ChangeTail(56) }, append(bytes.Clone(plain[:54]), 0, 0), 0},
		{"shorten too much", plain, func(c *tc.Context) bpf.Errno { return c.ChangeTail(5) }, plain, bpf.EINVAL},
		{"make head room", plain, func(c *tc.Context) bpf.Errno { return c.ChangeHead(4) }, append(make([]byte, 4), plain...), 0},
		{"room behind Ethernet", plain, func(c *tc.Context) bpf.Errno { return c.AdjustRoom(8, tc.RoomMAC, 0) }, room(14), 0},
		{"room behind IP", plain, func(c *tc.Context) bpf.Errno { return c.AdjustRoom(8, tc.RoomNet, 0) }, room(34), 0},
		{"remove behind IP", room(34), func(c *tc.Context) bpf.Errno { return c.AdjustRoom(-8, tc.RoomNet, 0) }, plain, 0},
		{"remove too much", plain, func(c *tc.Context) bpf.Errno { return c.AdjustRoom(-80, tc.RoomMAC, 0) }, plain, bpf.EINVAL},
		{"store past the end", plain, func(c *tc.Context) bpf.Errno { return c.StoreBytes(58, []byte("xx"), 0) }, plain, bpf.EFAULT},
		{"store", plain, func(c *tc.Context) bpf.Errno { return c.StoreBytes(54, []byte("H"), 0) }, bytes.Replace(plain, []byte("hello"), []byte("Hello"), 1), 0},
	}
	for _, test := range tests {
		got, err := change(k, bpftest.Data(test.in), test.f)
		if !bytes.Equal(got, test.want) || err != test.err {
			t.Errorf("%s: %v\n% x, want\n% x", test.name, err, got, test.want)
		}
	}
}

// UDP's rule about the checksum 0 holds for updates too.
func TestCsumReplaceUDP(t *testing.T) {
	k := bpftest.New(t)
	udp := in
	udp.Proto = packet.ProtoUDP
	none := udp.Bytes()
	none[40], none[41] = 0, 0
	got, _ := change(k, bpftest.Data(none), func(c *tc.Context) bpf.Errno {
		return c.L4CsumReplace(40, 1, 2, tc.CsumSize2|tc.Mangled0)
	})
	if got[40] != 0 || got[41] != 0 {
		t.Errorf("a packet without checksum got % x", got[40:42])
	}
	_, err := change(k, udp, func(c *tc.Context) bpf.Errno { return c.L4CsumReplace(40, 1, 2, 3) })
	if err != bpf.EINVAL {
		t.Errorf("a field of 3 bytes: %v", err)
	}
}

func TestRedirects(t *testing.T) {
	k := bpftest.New(t)
	for name, f := range map[string]func(*tc.Context) tc.Action{
		"redirect":       func(c *tc.Context) tc.Action { return c.Redirect(7, tc.Ingress) },
		"redirect_peer":  func(c *tc.Context) tc.Action { return c.RedirectPeer(7) },
		"redirect_neigh": func(c *tc.Context) tc.Action { return c.RedirectVia(7, &tc.Neigh{Family: sk.AFInet}) },
	} {
		r := k.TC(f, in)
		if r.Verdict != tc.Redirect || r.Redirect == nil || r.Redirect.Helper != name || r.Redirect.IfIndex != 7 {
			t.Errorf("%s: %v %+v", name, r.Verdict, r.Redirect)
		}
	}
}

func TestAnswers(t *testing.T) {
	k := bpftest.New(t)
	k.SetFIB(func(q *sk.FIBLookup) sk.FIBResult {
		q.IfIndex = 3
		return sk.FIBSuccess
	})
	sock := &bpf.Sock{SrcPort: 80}
	tuple := sk.Tuple4{Src: packet.IPv4Addr(10, 0, 0, 1), DstPort: packet.Port(80)}
	bpftest.SetTCP(k, tuple, sock)
	r := k.TC(func(c *tc.Context) tc.Action {
		var q sk.FIBLookup
		if c.FIBLookup(&q, 0) != sk.FIBSuccess || q.IfIndex != 3 || c.SocketCookie() != 99 {
			return tc.Drop
		}
		if sk.FindUDP(c, &tuple) != nil {
			return tc.Drop
		}
		s := sk.FindTCP(c, &tuple)
		if s == nil {
			return tc.Drop
		}
		c.Assign(s)
		s.Release()
		return tc.Action(c.Sk.SrcPort)
	}, in, func(c *tc.Context) { bpftest.SetCookie(k, c, 99) })
	if r.Verdict != 80 {
		t.Errorf("verdict %v", r.Verdict)
	}
}

func TestActionNames(t *testing.T) {
	for a, want := range map[tc.Action]string{tc.Next: "Next", tc.OK: "OK", tc.Redirect: "Redirect", tc.Trap: "Trap", 9: "unknown action", -2: "unknown action"} {
		if a.String() != want {
			t.Errorf("%d: %s", int32(a), a)
		}
	}
}
