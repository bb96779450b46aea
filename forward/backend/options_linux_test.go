package backend

import (
	"errors"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

func TestOptions(t *testing.T) {
	testkit.RequireRoot(t)
	addr := server(t, "127.0.0.1:0")
	dial := func(c Control) error {
		g := newGroup(t, Config{Targets: targets(addr), Control: c})
		conn, b, err := g.Dial(t.Context(), Key{})
		if err != nil {
			return err
		}
		defer conn.Close()
		defer b.Release()
		if got := socketOption(t, conn, syscall.SOL_SOCKET, syscall.SO_MARK); got != 7 {
			t.Errorf("mark is %d", got)
		}
		if got := socketOption(t, conn, syscall.IPPROTO_TCP, syscall.TCP_MAXSEG); got > 1000 {
			t.Errorf("largest segment is %d", got)
		}
		if got := conn.LocalAddr().String(); !strings.HasPrefix(got, "127.9.9.9:") {
			t.Errorf("it comes from %s", got)
		}
		return nil
	}
	all := Controls(Mark(7), MaxSegment(1000), nil, Device("lo"), From(netip.MustParseAddr("127.9.9.9")))
	if err := dial(all); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		control Control
		text    string
		is      error
	}{
		{Device("nothing0"), "set socket options: device nothing0: no such device", syscall.ENODEV},
		{From(netip.MustParseAddr("192.0.2.1")), "set socket options: source 192.0.2.1: cannot assign requested address", syscall.EADDRNOTAVAIL},
		{From(netip.IPv6Loopback()), "set socket options: source ::1 and backend 127.0.0.1 are of different families", nil},
	} {
		err := dial(test.control)
		if want := "dial group test: " + addr + ": " + test.text; errorText(err) != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
		if test.is != nil && !errors.Is(err, test.is) || Reason(err) != "options" {
			t.Errorf("%v is not %v, or has reason %q", err, test.is, Reason(err))
		}
	}
	if Controls(nil, nil) != nil {
		t.Error("no controls make one")
	}
}
