package forward

import (
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/forward/config"
)

// open returns a listener for an address: one that was handed over, or a new one.
//
// An address may take the place of another one of its port that is wider or narrower
// (":80" and "10.0.0.1:80"), whose listener has to stay until all else has gone well. The
// kernel lets both listen if both have SO_REUSEPORT, for that moment; it prefers the
// narrower one, and leaves the rest to the other. Afterwards nobody has it, so that a
// second forwarder that is started by mistake gets no share of the clients.
func (l *loading) open(addr netip.AddrPort) (*net.TCPListener, error) {
	if tcp := takeListener(l.inherited, addr); tcp != nil {
		return tcp, nil
	}
	before := l.inTheWay(addr)
	for _, tcp := range before {
		defer reusePort(tcp)()
	}
	tcp, err := listen(addr, len(before) > 0)
	if err != nil {
		return nil, err
	}
	if raw, err := tcp.SyscallConn(); err == nil && len(before) > 0 {
		_ = raw.Control(func(fd uintptr) { _ = setReusePort(fd, 0) })
	}
	return tcp, nil
}

// inTheWay lists the listeners that are about to be closed and without that would have a
// part of an address.
func (l *loading) inTheWay(addr netip.AddrPort) (list []*net.TCPListener) {
	f := l.forwarder
	add := func(tcp *net.TCPListener) {
		if tcp != nil && config.Overlap(addrPort(tcp.Addr()), addr) {
			list = append(list, tcp)
		}
	}
	for at, old := range f.listeners {
		if l.services[at] == nil {
			add(old.tcp)
		}
	}
	if f.scrapes != nil && l.newScrape {
		add(f.scrapes.listener)
	}
	for _, tcp := range l.inherited {
		add(tcp)
	}
	return list
}

// reusePort sets SO_REUSEPORT of an open listener until it is restored. If that fails, who
// listens next finds out.
func reusePort(tcp *net.TCPListener) (restore func()) {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return func() {}
	}
	before := 0
	_ = raw.Control(func(fd uintptr) {
		before, _ = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT)
		_ = setReusePort(fd, 1)
	})
	return func() { _ = raw.Control(func(fd uintptr) { _ = setReusePort(fd, before) }) }
}

func setReusePort(fd uintptr, value int) error {
	err := unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, value)
	return os.NewSyscallError("setsockopt", err)
}

// retired are listeners that were handed over and are configured otherwise. Who handed
// them over goes on listening there for a while and leaves the clients that wait then to
// us. They are those of the listeners that have their addresses now.
type retired struct {
	list []*net.TCPListener
	work sync.WaitGroup
}

// retirement is how long a retired listener is kept open.
const retirement = 10 * time.Second

// add serves a listener's clients by its heirs until its time is over.
func (r *retired) add(tcp *net.TCPListener, heirs []*listener) {
	r.list = append(r.list, tcp)
	_ = tcp.SetDeadline(time.Now().Add(retirement))
	admit := func(c *net.TCPConn) {
		to := addrPort(c.LocalAddr())
		for _, l := range heirs {
			if config.Overlap(l.addr, to) {
				l.admit(c)
				return
			}
		}
		reset(c)
	}
	r.work.Go(func() {
		for {
			c, err := tcp.AcceptTCP()
			if err != nil {
				break // its time is over; or accept fails, and the others will tell
			}
			admit(c)
		}
		empty(tcp, admit)
		_ = tcp.Close()
	})
}

// stop ends them all.
func (r *retired) stop() {
	for _, tcp := range r.list {
		_ = tcp.SetDeadline(past)
	}
	r.work.Wait()
	r.list = nil
}
