package testkit

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestPair(t *testing.T) {
	p := NewPair(t)
	t.Run("plain", func(t *testing.T) { testWire(t, p) })
	t.Run("vlan", func(t *testing.T) { testWire(t, p.VLAN(t, 7)) })
	if _, err := net.InterfaceByName("veth0"); err == nil {
		t.Error("the pair's device is in the test's own namespace")
	}
}

// testWire sends a byte from A to B, over IPv4 and over IPv6.
func testWire(t *testing.T, p *Pair) {
	for _, addr := range []netip.Addr{p.B.V4, p.B.V6} {
		l := p.B.Listen(t, addr)
		c := p.A.Dial(t, l.Addr())
		s, err := l.Accept()
		must(t, err)
		defer s.Close()
		_, err = c.Write([]byte("x"))
		must(t, err)
		must(t, s.SetReadDeadline(time.Now().Add(5*time.Second)))
		if _, err := io.ReadFull(s, make([]byte, 1)); err != nil {
			t.Errorf("%v: %v", addr, err)
		}
	}
}

func TestNginx(t *testing.T) {
	ns := NewNS(t)
	addr := netip.MustParseAddrPort("[::1]:8080")
	Nginx(t, ns, addr)
	var res *http.Response
	var err error
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(_ context.Context, network, addr string) (c net.Conn, err error) {
			ns.Do(t, func() { c, err = net.Dial(network, addr) })
			return c, err
		},
	}}
	res, err = client.Get("http://" + addr.String() + "/x")
	must(t, err)
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("got %s", res.Status)
	}
}

func TestCgroup(t *testing.T) {
	g := NewCgroup(t)
	members := func() string {
		text, err := os.ReadFile(filepath.Join(g.Path, "cgroup.procs"))
		must(t, err)
		return string(text)
	}
	t.Run("join", func(t *testing.T) {
		g.Join(t)
		if pid := strconv.Itoa(os.Getpid()); strings.TrimSpace(members()) != pid {
			t.Errorf("got members %q, want %s", members(), pid)
		}
	})
	if members() != "" {
		t.Errorf("got members %q after the subtest, want none", members())
	}
	if InVM() {
		return
	}
	cmd := exec.Command("sleep", "60")
	g.Use(t, cmd)
	(*NS)(nil).Start(t, cmd)
	if pid := strconv.Itoa(cmd.Process.Pid); strings.TrimSpace(members()) != pid {
		t.Errorf("got members %q, want %s", members(), pid)
	}
}
