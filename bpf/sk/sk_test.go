package sk_test

import (
	"testing"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/bpftest"
	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/bpf/sk"
)

var (
	socks = bpf.SockMap{MaxEntries: 4}
	peers = bpf.SockHash[uint32]{MaxEntries: 1}
)

func TestAddresses(t *testing.T) {
	v4 := sk.OpsContext{Family: sk.AFInet, RemoteIP4: packet.IPv4Addr(10, 0, 0, 1), LocalIP4: packet.IPv4Addr(10, 0, 0, 2)}
	if v4.Remote().String() != "10.0.0.1" || v4.Local().String() != "10.0.0.2" {
		t.Errorf("%v to %v", v4.Remote(), v4.Local())
	}
	words := func(last uint32) [4]bpf.BE32 { return [4]bpf.BE32{bpf.ToBE32(0xfe800000), 3: bpf.ToBE32(last)} }
	msg := sk.MsgContext{Family: sk.AFInet6, RemoteIP6: words(1), LocalIP6: words(2)}
	skb := sk.SkbContext{Family: sk.AFInet6, RemoteIP6: words(1), LocalIP6: words(2)}
	lookup := sk.LookupContext{Family: sk.AFInet6, RemoteIP6: words(1), LocalIP6: words(2)}
	for _, c := range []interface{ Remote() packet.Addr }{&msg, &skb, &lookup} {
		if c.Remote().String() != "fe80::1" {
			t.Errorf("%T: %v", c, c.Remote())
		}
	}
	for _, c := range []interface{ Local() packet.Addr }{&msg, &skb, &lookup} {
		if c.Local().String() != "fe80::2" {
			t.Errorf("%T: %v", c, c.Local())
		}
	}
}

func TestSockMaps(t *testing.T) {
	k := bpftest.New(t)
	enrol := func(c *sk.OpsContext) sk.Reply {
		c.UpdateMap(&socks, 2, bpf.Any)
		if !sk.UpdateHash(c, &peers, 5, bpf.NoExist).Ok() {
			return sk.KeepReply
		}
		return 0
	}
	if bpftest.Run(k, enrol, &sk.OpsContext{}) != 0 {
		t.Error("first socket not enrolled")
	}
	if bpftest.Run(k, enrol, &sk.OpsContext{}) != sk.KeepReply {
		t.Error("second socket under the same key")
	}
	verdict := func(c *sk.SkbContext) sk.Verdict {
		if packet.HTTPMethod(c.Data()) == packet.GET {
			return c.Redirect(&socks, 2, sk.Egress)
		}
		return sk.RedirectSkb(c, &peers, 6, sk.Ingress)
	}
	if r := bpftest.Skb(k, verdict, bpftest.Data("GET / HTTP/1.1")); r.Verdict != sk.Pass || r.Redirect.Helper != "sk_redirect_map" {
		t.Errorf("GET: %+v", r)
	}
	if r := bpftest.Skb(k, verdict, bpftest.Data("POST / HTTP/1.1")); r.Verdict != sk.Drop || r.Redirect != nil {
		t.Errorf("POST: %+v", r)
	}
	if err := peers.Delete(5); !err.Ok() || peers.Delete(5) != bpf.ENOENT {
		t.Errorf("Delete: %v", err)
	}
	parser := bpftest.Skb(k, func(c *sk.SkbContext) int32 { return int32(c.Len) }, bpftest.Data("12345"))
	if parser.Verdict != 5 {
		t.Errorf("parser: %d", parser.Verdict)
	}
}

func TestAdjustRoom(t *testing.T) {
	k := bpftest.New(t)
	for _, test := range []struct {
		delta int32
		want  bpf.Errno
		data  string
	}{
		{0, bpf.OK, "abcdef"},
		{-2, bpf.OK, "cdef"},
		{-6, bpf.OK, ""},
		{2, bpf.OK, "\x00\x00abcdef"},
		{-7, bpf.ENOMEM, "abcdef"},
		{-4096, bpf.EFAULT, "abcdef"},
		{4096, bpf.EFAULT, "abcdef"},
	} {
		r := bpftest.Skb(k, func(c *sk.SkbContext) sk.Verdict {
			if got := c.AdjustRoom(test.delta); got != test.want || int(c.Len) != len(test.data) {
				t.Errorf("%+d: got %v and %d bytes, want %v and %d", test.delta, got, c.Len, test.want, len(test.data))
			}
			return sk.Pass
		}, bpftest.Data("abcdef"))
		if got := string(r.Data); got != test.data {
			t.Errorf("%+d: got %q, want %q", test.delta, got, test.data)
		}
	}
}

func TestSkbCookie(t *testing.T) {
	k := bpftest.New(t)
	bpftest.Skb(k, func(c *sk.SkbContext) sk.Verdict {
		if got := c.SocketCookie(); got != 7 {
			t.Errorf("got %d, want 7", got)
		}
		return sk.Pass
	}, bpftest.Data("x"), func(c *sk.SkbContext) { bpftest.SetCookie(k, c, 7) })
}

func TestMsg(t *testing.T) {
	k := bpftest.New(t)
	r := k.Msg(func(c *sk.MsgContext) sk.Verdict {
		if len(c.Data()) != 2 || !c.Pull(0, 6).Ok() || !c.Data().HasPrefix("abcdef") || c.Pull(0, 7) != bpf.EINVAL {
			return sk.Drop
		}
		c.Apply(c.Size)
		c.Cork(9)
		return sk.Pass
	}, bpftest.Linear(bpftest.Data("abcdef"), 2))
	if r.Verdict != sk.Pass || r.Apply != 6 || r.Cork != 9 {
		t.Errorf("%+v", r)
	}
}

func TestLookup(t *testing.T) {
	k := bpftest.New(t)
	want := &bpf.Sock{SrcPort: 7}
	bpftest.SetTarget(k, &socks, 0, want)
	prog := func(c *sk.LookupContext) sk.Verdict {
		s := c.SocketIn(&socks, c.IngressIfIndex)
		if s == nil {
			return sk.Pass
		}
		defer s.Release()
		if err := c.Assign(s, 0); !err.Ok() {
			return sk.Drop
		}
		return sk.Pass
	}
	ctx := &sk.LookupContext{}
	if v := bpftest.Run(k, prog, ctx); v != sk.Pass || ctx.Sk != want {
		t.Errorf("%v, socket %v", v, ctx.Sk)
	}
	if v := bpftest.Run(k, prog, ctx); v != sk.Drop {
		t.Errorf("second selection: %v", v)
	}
}

func TestFindTCP(t *testing.T) {
	k := bpftest.New(t)
	full := sk.Tuple4{Src: packet.IPv4Addr(10, 0, 0, 1), SrcPort: packet.Port(1000), DstPort: packet.Port(80)}
	quiet := full
	quiet.SrcPort = packet.Port(1001)
	bpftest.SetTCP(k, quiet, &sk.Sock{State: sk.TimeWait})
	s := &sk.Sock{State: sk.Established}
	bpftest.SetTCP(k, full, s)
	k.SetTCPSock(s, &sk.TCPSock{RcvNxt: 7})
	next := func(tuple sk.Tuple4) (v int) {
		bpftest.Run(k, func(ctx *sk.LookupContext) sk.Verdict {
			v = -2
			s := sk.FindAnyTCP(ctx, &tuple)
			if s == nil {
				return sk.Drop
			}
			defer s.Release()
			v = -1
			if tcp := s.TCP(); tcp != nil {
				v = int(tcp.RcvNxt)
			}
			return sk.Pass
		}, &sk.LookupContext{})
		return v
	}
	if got := [...]int{next(full), next(quiet), next(sk.Tuple4{})}; got != [...]int{7, -1, -2} {
		t.Errorf("expected next: %v", got)
	}
}

func TestNames(t *testing.T) {
	got := []string{sk.StateChange.String(), sk.WriteHeaderOption.String(), sk.Op(99).String(), sk.Listening.String(), sk.Pass.String(), sk.Drop.String(), sk.Verdict(7).String()}
	want := []string{"StateChange", "WriteHeaderOption", "unknown op", "LISTEN", "Pass", "Drop", "unknown verdict"}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%q, want %q", got[i], want[i])
		}
	}
}
