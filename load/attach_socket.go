package load

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"syscall"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/waggle-bpf/waggle/load/internal/sys"
)

// attachSockMap is for the kinds that run on the sockets of a map.
func attachSockMap(s *site) ([]*Link, error) {
	name, err := s.sockMapName()
	if err != nil {
		return nil, err
	}
	m, err := s.handle.Map(name)
	if err != nil {
		return nil, err
	}
	where := "map " + name
	l, err := link.AttachRawLink(link.RawLinkOptions{Target: m.FD(), Program: s.prog, Attach: s.spec.AttachType})
	if err == nil {
		return s.single(where, l, nil)
	}
	// Before Linux 6.10 sockmaps have no links.
	if !errors.Is(err, syscall.EINVAL) && !errors.Is(err, ErrNotSupported) {
		return nil, fmt.Errorf("to %s: %w", where, err)
	}
	a, err := attachToMap(m, s.prog, s.spec.AttachType)
	return s.single(where, a, err)
}

func (s *site) sockMapName() (string, error) {
	if s.target.Map != "" {
		return s.target.Map, nil
	}
	o := s.handle.obj
	names := slices.DeleteFunc(slices.Clone(o.maps), func(name string) bool {
		t := o.spec.Maps[name].Type
		return t != ebpf.SockMap && t != ebpf.SockHash
	})
	switch len(names) {
	case 0:
		return "", errors.New("no map named, and the object has no sockmap or sockhash")
	case 1:
		return names[0], nil
	}
	return "", fmt.Errorf("no map named, and the object has several: %s", list(names))
}

// mapAttachment is a program attached to a sockmap without a link. The map
// holds it: it ends with the map, and so with the process, unless the map is
// pinned.
type mapAttachment struct {
	m    *ebpf.Map
	prog *ebpf.Program
	at   ebpf.AttachType
}

func attachToMap(m *ebpf.Map, p *ebpf.Program, at ebpf.AttachType) (*mapAttachment, error) {
	m, err := m.Clone()
	if err != nil {
		return nil, err
	}
	a := &mapAttachment{m: m, at: at}
	if err := a.Update(p); err != nil {
		m.Close()
		return nil, err
	}
	return a, nil
}

// Update attaches p in place of what is there: a sockmap has room for one
// program of each attach type.
func (a *mapAttachment) Update(p *ebpf.Program) error {
	p, err := p.Clone()
	if err != nil {
		return err
	}
	if err := link.RawAttachProgram(link.RawAttachProgramOptions{Target: a.m.FD(), Program: p, Attach: a.at}); err != nil {
		p.Close()
		return err
	}
	if a.prog != nil {
		a.prog.Close()
	}
	a.prog = p
	return nil
}

func (a *mapAttachment) Close() error {
	err := link.RawDetachProgram(link.RawDetachProgramOptions{Target: a.m.FD(), Program: a.prog, Attach: a.at})
	if errors.Is(err, syscall.ENOENT) {
		err = nil // somebody else replaced or removed it
	}
	return errors.Join(err, a.prog.Close(), a.m.Close())
}

func (*mapAttachment) Pin(string) error { return notALink("an attachment to a sockmap") }
func (*mapAttachment) Unpin() error     { return notALink("an attachment to a sockmap") }

func (a *mapAttachment) outlivesProcess() bool { return a.m.IsPinned() }

// attachSocketFilter attaches to the target's socket, or to a packet socket
// of our own on each interface, whose packets nobody reads.
func attachSocketFilter(s *site) ([]*Link, error) {
	if conn := s.target.Socket; conn != nil {
		return s.single("socket", socketFilter{conn}, link.AttachSocketFilter(conn, s.prog))
	}
	return s.onInterfaces(func(dev *net.Interface) (*Link, error) {
		sock, err := sys.OpenPacketSocket(dev.Index)
		if err != nil {
			return nil, err
		}
		if err := link.AttachSocketFilter(sock, s.prog); err != nil {
			return nil, errors.Join(err, sock.Close())
		}
		return s.link(dev.Name+" (socket filter)", packetSocket{sock}), nil
	})
}

// socketFilter is a filter on a socket that belongs to the caller.
type socketFilter struct{ conn syscall.Conn }

// Close takes the filter off. A socket closed before is no error: its filter
// ended with it.
func (f socketFilter) Close() error {
	err := link.DetachSocketFilter(f.conn)
	if errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ENOENT) {
		return nil
	}
	return err
}

func (f socketFilter) Update(p *ebpf.Program) error { return link.AttachSocketFilter(f.conn, p) }
func (socketFilter) Pin(string) error               { return notALink("a socket filter") }
func (socketFilter) Unpin() error                   { return notALink("a socket filter") }

// packetSocket is a filter on a packet socket of our own.
type packetSocket struct{ *sys.PacketSocket }

func (f packetSocket) Update(p *ebpf.Program) error { return link.AttachSocketFilter(f, p) }
func (packetSocket) Pin(string) error               { return notALink("a socket filter") }
func (packetSocket) Unpin() error                   { return notALink("a socket filter") }

// attachReuseport makes the program choose among the sockets of a
// SO_REUSEPORT group.
func attachReuseport(s *site) ([]*Link, error) {
	conn := s.target.Socket
	if conn == nil {
		return nil, errors.New("no socket named")
	}
	return s.single("reuseport group", reuseport{conn}, sys.AttachReuseport(conn, s.prog.FD()))
}

// reuseport is a program on the group of a socket that belongs to the caller.
type reuseport struct{ conn syscall.Conn }

// Close takes the program off the group.
func (r reuseport) Close() error {
	err := sys.DetachReuseport(r.conn)
	if errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ENOENT) {
		return nil
	}
	return err
}

func (r reuseport) Update(p *ebpf.Program) error { return sys.AttachReuseport(r.conn, p.FD()) }
func (reuseport) Pin(string) error               { return notALink("a reuseport program") }
func (reuseport) Unpin() error                   { return notALink("a reuseport program") }
