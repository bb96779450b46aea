package rtnl_test

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/rtnl"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// in does f in a fresh network namespace.
func in(t *testing.T, f func(c *rtnl.Conn) error) {
	t.Helper()
	testkit.NewNS(t).Do(t, func() {
		if err := rtnl.Do(f); err != nil {
			t.Fatal(err)
		}
	})
}

func find(t *testing.T, c *rtnl.Conn, name string) *rtnl.Link {
	t.Helper()
	links, err := c.Links()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(links, func(l rtnl.Link) bool { return l.Name == name })
	if i < 0 {
		return nil
	}
	return &links[i]
}

// TestLinks asks package net, which reads netlink by itself, about what was made.
func TestLinks(t *testing.T) {
	far := testkit.NewNS(t)
	in(t, func(c *rtnl.Conn) error {
		if lo := find(t, c, "lo"); lo == nil || !lo.Up || lo.Kind != "" || lo.XDP {
			t.Errorf("got loopback %+v", lo)
		}
		if err := c.AddVeth("near", "far", far.FD()); err != nil {
			return err
		}
		near := find(t, c, "near")
		if near == nil || near.Kind != "veth" || near.Up {
			t.Fatalf("got %+v", near)
		}
		prefixes := []netip.Prefix{netip.MustParsePrefix("10.9.0.1/24"), netip.MustParsePrefix("fd99::1/64")}
		errs := []error{c.SetMTU(near.Index, 1400), c.SetUp(near.Index)}
		for _, p := range prefixes {
			errs = append(errs, c.AddAddr(near.Index, p))
		}
		if err := errors.Join(errs...); err != nil {
			return err
		}
		device, err := net.InterfaceByName("near")
		if err != nil {
			return err
		}
		if device.Index != near.Index || device.MTU != 1400 || device.Flags&net.FlagUp == 0 {
			t.Errorf("got %+v", device)
		}
		addrs, err := device.Addrs()
		for _, p := range prefixes {
			if !slices.ContainsFunc(addrs, func(a net.Addr) bool { return a.String() == p.String() }) {
				t.Errorf("got addresses %v, want %v among them", addrs, p)
			}
		}
		return errors.Join(err, c.DeleteLink(near.Index))
	})
	far.Do(t, func() {
		if _, err := net.InterfaceByName("far"); err == nil {
			t.Error("the peer is still there")
		}
	})
}

func TestRoute(t *testing.T) {
	far := testkit.NewNS(t)
	in(t, func(c *rtnl.Conn) error {
		if err := c.AddVeth("near", "far", far.FD()); err != nil {
			return err
		}
		near := find(t, c, "near")
		errs := []error{
			c.SetUp(near.Index),
			c.AddAddr(near.Index, netip.MustParsePrefix("10.9.0.1/24")),
			c.AddRoute(netip.MustParsePrefix("10.10.0.0/16"), netip.MustParseAddr("10.9.0.2")),
		}
		if err := errors.Join(errs...); err != nil {
			return err
		}
		// Connecting a datagram socket asks for the route and sends nothing.
		conn, err := net.Dial("udp", "10.10.1.1:9")
		if err != nil {
			return err
		}
		if got := conn.LocalAddr().(*net.UDPAddr).IP.String(); got != "10.9.0.1" {
			t.Errorf("got source address %s", got)
		}
		return conn.Close()
	})
}

func TestErrors(t *testing.T) {
	in(t, func(c *rtnl.Conn) error {
		if err := c.SetUp(99); !errors.Is(err, unix.ENODEV) {
			t.Errorf("got %v", err)
		}
		if err := c.AddLink("x0", "nonsense"); !errors.Is(err, unix.EOPNOTSUPP) {
			t.Errorf("got %v", err)
		}
		if qdiscs, err := c.Qdiscs(); err != nil || slices.ContainsFunc(qdiscs, func(q rtnl.Qdisc) bool { return q.Kind == "clsact" }) {
			t.Errorf("got %v, %v", qdiscs, err)
		}
		return nil
	})
}
