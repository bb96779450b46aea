package testkit

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/internal/testkit/rtnl"
)

// Pair is two network namespaces joined by a wire (a veth pair).
type Pair struct {
	A, B End
}

// End is one end of a wire: a device in a namespace, with its addresses.
type End struct {
	NS     *NS
	Device string
	Index  int
	V4, V6 netip.Addr
}

// NewPair makes two namespaces and a wire between them, up and with addresses:
// 10.77.0.1 and fd77::1 at A, .2 and ::2 at B.
func NewPair(t testing.TB) *Pair {
	t.Helper()
	return NewWire(t, NewNS(t), NewNS(t), 0)
}

// NewWire makes a wire between two namespaces: a device vethSUBNET in each. The
// addresses are those of [Pair.Furnish].
func NewWire(t testing.TB, a, b *NS, subnet byte) *Pair {
	t.Helper()
	name := fmt.Sprintf("veth%d", subnet)
	p := &Pair{A: End{NS: a, Device: name}, B: End{NS: b, Device: name}}
	p.A.request(t, func(c *rtnl.Conn) error { return c.AddVeth(name, name, b.FD()) })
	p.Furnish(t, subnet)
	return p
}

var noVLAN = Absence{"kernel built without VLAN_8021Q", func() bool {
	_, err := os.Stat("/proc/net/vlan")
	return errors.Is(err, os.ErrNotExist)
}}

// VLAN makes an 802.1Q device with the given id at both ends and returns them;
// the addresses are 10.77.ID.1, fd77:0:0:ID::1 and so on. The id is 1 to 255. The
// test is skipped on kernels built without 802.1Q.
func (p *Pair) VLAN(t testing.TB, id uint16) *Pair {
	t.Helper()
	name := fmt.Sprintf("vlan%d", id)
	v := &Pair{A: End{NS: p.A.NS, Device: name}, B: End{NS: p.B.NS, Device: name}}
	for _, e := range []End{p.A, p.B} {
		var err error
		e.NS.Do(t, func() {
			err = rtnl.Do(func(c *rtnl.Conn) error { return c.AddVLAN(name, e.Index, id) })
		})
		if errors.Is(err, unix.EOPNOTSUPP) {
			err = fmt.Errorf("%w: %w", err, ebpf.ErrNotSupported)
		}
		Need(t, err, noVLAN)
	}
	v.Furnish(t, byte(id))
	return v
}

// Furnish finds the devices of a pair whose names and namespaces are set, gives
// them addresses, 10.77.SUBNET.1 and fd77:0:0:SUBNET::1 at A and .2 and ::2 at B,
// and brings them up.
func (p *Pair) Furnish(t testing.TB, subnet byte) {
	t.Helper()
	for i, e := range []*End{&p.A, &p.B} {
		host := byte(i + 1)
		e.V4 = netip.AddrFrom4([4]byte{10, 77, subnet, host})
		e.V6 = netip.AddrFrom16([16]byte{0: 0xfd, 1: 0x77, 7: subnet, 15: host})
		var device *net.Interface
		var err error
		e.NS.Do(t, func() { device, err = net.InterfaceByName(e.Device) })
		if err != nil {
			t.Fatal(err)
		}
		e.Index = device.Index
		e.request(t, func(c *rtnl.Conn) error {
			if err := c.SetUp(e.Index); err != nil {
				return err
			}
			if err := c.AddAddr(e.Index, netip.PrefixFrom(e.V4, 24)); err != nil {
				return err
			}
			return c.AddAddr(e.Index, netip.PrefixFrom(e.V6, 64))
		})
	}
}

// request does f on a connection to the end's namespace.
func (e *End) request(t testing.TB, f func(*rtnl.Conn) error) {
	t.Helper()
	var err error
	e.NS.Do(t, func() { err = rtnl.Do(f) })
	if err != nil {
		t.Fatal(err)
	}
}

// Listen listens on a free TCP port of one of the end's addresses until the
// test ends.
func (e *End) Listen(t testing.TB, addr netip.Addr) net.Listener {
	t.Helper()
	var l net.Listener
	var err error
	e.NS.Do(t, func() { l, err = net.Listen("tcp", netip.AddrPortFrom(addr, 0).String()) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// Dial connects from the end; the connection is closed when the test ends.
func (e *End) Dial(t testing.TB, addr net.Addr) net.Conn {
	t.Helper()
	var c net.Conn
	var err error
	e.NS.Do(t, func() { c, err = net.Dial(addr.Network(), addr.String()) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}
