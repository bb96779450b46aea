package packet

import (
	"fmt"
	"net"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/bpf"
	bpfpacket "github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/forward/engine/packet/kern"
)

// tuples are what the packets of a pair's connections say.
type tuples [2]kern.Tuple

// tuplesOf reads a pair's addresses.
func tuplesOf(p *engine.Pair) tuples {
	return tuples{kern.Client: tupleOf(p.Client), kern.Backend: tupleOf(p.Backend)}
}

func tupleOf(c *net.TCPConn) kern.Tuple {
	peer, local := addrPort(c.RemoteAddr()), addrPort(c.LocalAddr())
	return kern.Tuple{
		Peer: bpfpacket.Addr(peer.Addr().As16()), PeerPort: bpf.ToBE16(peer.Port()),
		Local: bpfpacket.Addr(local.Addr().As16()), LocalPort: bpf.ToBE16(local.Port()),
	}
}

// addrPort returns a TCP address without an IPv6 zone and with a mapped IPv4
// address as what it is.
func addrPort(a net.Addr) netip.AddrPort {
	ap := a.(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap().WithZone(""), ap.Port())
}

// place refuses a pair whose packets the programs don't see or can't turn into each
// other.
func (e *Engine) place(p *engine.Pair) *engine.Refusal {
	ends := [2][2]netip.AddrPort{
		{addrPort(p.Client.RemoteAddr()), addrPort(p.Client.LocalAddr())},
		{addrPort(p.Backend.RemoteAddr()), addrPort(p.Backend.LocalAddr())},
	}
	if ends[0][0].Addr().Is4() != ends[1][0].Addr().Is4() {
		return engine.Refuse("IPv4 on one side, IPv6 on the other", nil)
	}
	var devices [2]device
	for i, end := range ends {
		name := e.addresses.route(end[0].Addr(), end[1].Addr())
		dev, err := e.devices.get(name)
		if err != nil {
			return engine.Refuse("interface not attached", fmt.Errorf("%v is reached by %q: %w", end[0], name, err))
		}
		devices[i] = dev
	}
	for i, dev := range devices {
		if !dev.loopback || devices[1-i].loopback {
			continue
		}
		if !devices[1-i].ethernet {
			return engine.Refuse("local on one side, no link layer on the other", nil)
		}
		if ends[i][0].Addr().Is4() {
			if err := e.localNet.relax(); err != nil {
				return engine.Refuse("loopback closed to clients", err)
			}
		}
	}
	return nil
}

// Options of a connection that tcpi_options tells (include/uapi/linux/tcp.h).
const (
	optTimestamps = 1 << 0
	optSACK       = 1 << 1
	optECN        = 1 << 3
	optSynData    = 1 << 5
)

// stampsLen is the room that time stamps take in each segment.
const stampsLen = 12

// sameOptions are those that both connections have to have, or neither.
var sameOptions = []struct {
	bit    uint8
	reason string
}{
	{optTimestamps, "time stamps on one side only"},
	{optSACK, "selective acknowledgement on one side only"},
	{optECN, "congestion notification on one side only"},
}

// match refuses a pair whose connections have agreed on different things.
func match(info [2]*unix.TCPInfo, v6 bool) *engine.Refusal {
	for _, o := range sameOptions {
		if (info[0].Options^info[1].Options)&o.bit != 0 {
			return engine.Refuse(o.reason, nil)
		}
	}
	for i, in := range info {
		if in.Options&optSynData != 0 {
			return engine.Refuse("data in SYN", nil)
		}
		if in.State != unix.BPF_TCP_ESTABLISHED {
			return engine.Refuse("half closed", nil)
		}
		// What this peer may send must fit into what the other one takes.
		if takes := takes(info[1-i], v6); in.Advmss > takes {
			return engine.Refuse("segments of one side too big for the other",
				fmt.Errorf("%d and %d bytes", in.Advmss, takes))
		}
	}
	return nil
}

// takes returns the size of the segments that a peer takes. That is what we would
// send, but for one case: the kernel sends no segments bigger than half the biggest
// window it has seen (tcp_bound_to_half_wnd in include/net/tcp.h), which on loopback is
// less than the interface can carry.
func takes(info *unix.TCPInfo, v6 bool) uint32 {
	const halfWindow = 1 << 14
	headers := uint32(bpfpacket.IPv4Len + bpfpacket.TCPLen)
	if v6 {
		headers = bpfpacket.IPv6Len + bpfpacket.TCPLen
	}
	if info.Options&optTimestamps != 0 {
		headers += stampsLen
	}
	if info.Snd_mss < halfWindow || info.Pmtu < headers {
		return info.Snd_mss
	}
	return max(info.Snd_mss, info.Pmtu-headers)
}

// watched makes what the programs have to know of a pair in order to watch it.
func watched(p *engine.Pair, t tuples, now uint64) (*kern.Conn, *engine.Refusal) {
	var info [2]*unix.TCPInfo
	for i, conn := range []*net.TCPConn{p.Client, p.Backend} {
		err := control(conn, func(fd int) (err error) {
			info[i], err = unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
			return err
		})
		if err != nil {
			return nil, engine.Refuse("no TCP connection", err)
		}
	}
	if r := match(info, !t[0].Peer.Is4()); r != nil {
		return nil, r
	}
	c := &kern.Conn{State: kern.Watching, Since: now}
	if p.Note != nil {
		c.Note.Len = uint32(copy(c.Note.Text[:], p.Note()))
	}
	for i := range c.Sides {
		peer, own := scales(info[i])
		c.Sides[i] = kern.Side{Tuple: t[i], PeerScale: peer, OwnScale: own}
	}
	// A connection that was dialled counts its SYN among the bytes acknowledged.
	const syn = 1
	c.Sides[kern.Client].Lead = uint32(p.Taken - p.Given - syn)
	return c, nil
}

// scales returns the shifts of the windows that the peer and we advertise:
// tcpi_snd_wscale and tcpi_rcv_wscale, bit fields that the type has no name for.
func scales(info *unix.TCPInfo) (peer, own uint8) {
	b := *(*uint8)(unsafe.Add(unsafe.Pointer(info), unsafe.Offsetof(info.Options)+1))
	return b & 0xf, b >> 4
}

// control runs f on a connection's descriptor.
func control(c *net.TCPConn, f func(fd int) error) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var failure error
	if err := raw.Control(func(fd uintptr) { failure = f(int(fd)) }); err != nil {
		return err
	}
	return failure
}
