package load

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/waggle-bpf/waggle/load/internal/capability"
	"github.com/waggle-bpf/waggle/load/internal/sys"
	"github.com/waggle-bpf/waggle/load/internal/tc"
)

// onInterfaces attaches to each of the target's interfaces, in the target's
// network namespace.
func (s *site) onInterfaces(attach func(*net.Interface) (*Link, error)) (links []*Link, err error) {
	if len(s.target.Interfaces) == 0 {
		return nil, errors.New("no interface named")
	}
	err = sys.InNetNS(s.target.NetNS, func() error {
		links, err = each(s.target.Interfaces, func(name string) (*Link, error) {
			dev, err := net.InterfaceByName(name)
			if err != nil {
				return nil, fmt.Errorf("no interface %q", name)
			}
			l, err := attach(dev)
			if err != nil {
				return nil, fmt.Errorf("to %s: %w", name, err)
			}
			return l, nil
		})
		return err
	})
	return links, err
}

var xdpFlags = map[XDPMode]link.XDPAttachFlags{
	XDPAuto:    0,
	XDPGeneric: link.XDPGenericMode,
	XDPDriver:  link.XDPDriverMode,
	XDPOffload: link.XDPOffloadMode,
}

func attachXDP(s *site) ([]*Link, error) {
	return s.onInterfaces(func(dev *net.Interface) (*Link, error) {
		l, err := link.AttachXDP(link.XDPOptions{Program: s.prog, Interface: dev.Index, Flags: xdpFlags[s.target.XDP]})
		switch {
		case errors.Is(err, syscall.EBUSY):
			return nil, fmt.Errorf("it has an xdp program already: %w", err)
		case errors.Is(err, syscall.EOPNOTSUPP) && s.target.XDP != XDPAuto:
			return nil, fmt.Errorf("it cannot run xdp in that mode: %w", err)
		case err != nil:
			return nil, err
		}
		return s.link(dev.Name+" (xdp)", l), nil
	})
}

// tcPlace is where tc programs of one direction go, in both worlds.
type tcPlace struct {
	direction Direction
	name      string
	tcx       ebpf.AttachType
	parent    tc.Parent
}

var tcPlaces = []tcPlace{
	{Ingress, "ingress", ebpf.AttachTCXIngress, tc.Ingress},
	{Egress, "egress", ebpf.AttachTCXEgress, tc.Egress},
}

func attachTC(s *site) ([]*Link, error) {
	var links []*Link
	for _, place := range tcPlaces {
		if s.spec.AttachType != place.tcx && (s.spec.AttachType != ebpf.AttachNone || s.target.Direction&place.direction == 0) {
			continue
		}
		more, err := s.onInterfaces(func(dev *net.Interface) (*Link, error) { return s.attachTCAt(dev, place) })
		if err != nil {
			return nil, errors.Join(err, closeLinks(links))
		}
		links = append(links, more...)
	}
	if len(links) == 0 {
		return nil, errors.New("no direction: neither its section nor the target names ingress or egress")
	}
	return links, nil
}

func (s *site) attachTCAt(dev *net.Interface, place tcPlace) (*Link, error) {
	if s.target.TC != Clsact {
		l, err := link.AttachTCX(link.TCXOptions{Interface: dev.Index, Program: s.prog, Attach: place.tcx, Anchor: s.target.Anchor})
		if err == nil {
			return s.link(fmt.Sprintf("%s (tcx %s)", dev.Name, place.name), l), nil
		}
		if s.target.TC == TCX || !errors.Is(err, ErrNotSupported) {
			return nil, err
		}
	}
	f, err := tc.Attach(tc.Options{Interface: dev.Index, Parent: place.parent, FD: s.prog.FD(), Program: s.spec.Name})
	if err != nil {
		return nil, err
	}
	return s.link(fmt.Sprintf("%s (tc %s)", dev.Name, place.name), clsactFilter{f}), nil
}

// clsactFilter makes a tc filter an attachment.
type clsactFilter struct{ *tc.Filter }

func (f clsactFilter) Update(p *ebpf.Program) error { return f.Replace(p.FD()) }
func (clsactFilter) Pin(string) error               { return notALink("a tc filter") }
func (clsactFilter) Unpin() error                   { return notALink("a tc filter") }
func (clsactFilter) outlivesProcess() bool          { return true }

func notALink(what string) error {
	return fmt.Errorf("%s is no link and cannot be pinned: %w", what, ErrNotSupported)
}

// RemoveStale removes from an interface the tc filters that processes of
// package load left behind when they were killed on kernels without tcx, and
// returns how many. Filters of living processes stay, and those of processes in
// other PID namespaces, of which nobody here knows whether they live. Attaching
// to the interface in that way does the same.
func RemoveStale(iface string) (int, error) {
	dev, err := net.InterfaceByName(iface)
	if err != nil {
		return 0, fmt.Errorf("remove stale filters: no interface %q", iface)
	}
	n, err := tc.RemoveStale(dev.Index)
	if err != nil {
		return n, refused("remove stale filters from "+iface, err, capability.NetAdmin)
	}
	return n, nil
}

func attachNetkit(s *site) ([]*Link, error) {
	return s.onInterfaces(func(dev *net.Interface) (*Link, error) {
		l, err := link.AttachNetkit(link.NetkitOptions{Interface: dev.Index, Program: s.prog, Attach: s.spec.AttachType, Anchor: s.target.Anchor})
		if err != nil {
			return nil, err
		}
		return s.link(dev.Name+" (netkit)", l), nil
	})
}

func attachNetfilter(s *site) ([]*Link, error) {
	at := s.target.Netfilter
	if at == nil {
		return nil, errors.New("no netfilter hook named")
	}
	opts := link.NetfilterOptions{Program: s.prog, ProtocolFamily: at.Family, Hook: at.Hook, Priority: at.Priority}
	if at.Defrag {
		opts.NetfilterFlags = link.NetfilterIPDefrag
	}
	var links []*Link
	err := sys.InNetNS(s.target.NetNS, func() error {
		l, err := link.AttachNetfilter(opts)
		links, err = s.single("netfilter", l, err)
		return err
	})
	return links, err
}

// attachNetNS is for the kinds that belong to a network namespace.
func attachNetNS(s *site) ([]*Link, error) {
	path := s.target.NetNS
	if path == "" {
		path = "/proc/thread-self/ns/net"
	}
	ns, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open network namespace: %w", err)
	}
	defer ns.Close()
	l, err := link.AttachNetNs(int(ns.Fd()), s.prog)
	return s.single("network namespace "+path, l, err)
}
