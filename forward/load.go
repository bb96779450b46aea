package forward

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/waggle-bpf/waggle/forward/accesslog"
	"github.com/waggle-bpf/waggle/forward/backend"
	"github.com/waggle-bpf/waggle/forward/config"
	"github.com/waggle-bpf/waggle/forward/proxy"
)

// loading is a configuration that is about to take the place of another one. Until it
// does, everything in it can be given up again.
type loading struct {
	inherited []*net.TCPListener // nil where one was taken
	forwarder *Forwarder
	config    *config.Config
	groups    map[string]*group
	services  map[netip.AddrPort]*service
	opened    map[netip.AddrPort]*net.TCPListener
	log       *accesslog.Log
	newLog    bool
	scrapes   *scrapes
	newScrape bool
}

// load puts a configuration in force, or returns an error and changes nothing.
func (f *Forwarder) load(cfg *config.Config, inherited []*net.TCPListener) (err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := &loading{
		forwarder: f, config: cfg, inherited: inherited,
		groups:   make(map[string]*group),
		services: make(map[netip.AddrPort]*service),
		opened:   make(map[netip.AddrPort]*net.TCPListener),

		newScrape: f.config == nil || f.config.Metrics != cfg.Metrics,
	}
	if f.closed || f.draining {
		return errEnding
	}
	defer func() {
		if err != nil {
			l.giveUp()
		}
	}()
	for _, step := range []func() error{
		l.makeGroups, l.makeServices, l.openListeners, l.openLog, l.openScrapes,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	l.takeOver()
	return nil
}

func (l *loading) makeGroups() error {
	f := l.forwarder
	for _, c := range l.config.Groups {
		bc := c.Config
		bc.Own = &f.own
		bc.OnChange = func(s backend.Status) { f.backendChanged(&s) }
		bc.Check = greeted(c.Check, c.CheckProxy)
		var before *backend.Group
		if g := f.groups[c.Name]; g != nil {
			before = g.Group
		}
		g, err := backend.New(bc, before)
		if err != nil {
			return err
		}
		l.groups[c.Name] = &group{Group: g, sendProxy: c.SendProxy}
	}
	return nil
}

// greeted is a health check that begins with a PROXY header, in which the forwarder
// speaks for itself.
func greeted(c *backend.Check, v config.ProxyOut) *backend.Check {
	if c == nil || v == config.NoProxy {
		return c
	}
	h := proxy.Header{Version: proxy.Version(v), Local: true}
	check := *c
	check.Greeting, _ = h.Append(nil) // fails only for versions that there are not
	return &check
}

// backendChanged tells of a backend that came or went.
func (f *Forwarder) backendChanged(s *backend.Status) {
	text := fmt.Sprintf("group %s: backend %s is %s", s.Group, s.Target, s.State)
	if s.Addr.IsValid() && s.Addr.String() != s.Target {
		text = fmt.Sprintf("group %s: backend %s (%s) is %s", s.Group, s.Target, s.Addr, s.State)
	}
	if s.Why != "" {
		text += ": " + s.Why
	}
	f.notice("%s", text)
}

func (l *loading) makeServices() error {
	limits := l.config.Limits
	l.forwarder.files.bound(&limits, l.forwarder.notice)
	for _, c := range l.config.Listeners {
		e, err := l.forwarder.engines.get(c.Engine)
		if err != nil {
			return err
		}
		s := &service{
			name:     c.Name,
			table:    c.Table,
			groups:   l.groups,
			policy:   c.Proxy,
			engine:   e,
			timeouts: l.config.Timeouts,
			limits:   limits,
			metrics:  l.forwarder.metrics.Listener(c.Name),
		}
		if c.Default != nil {
			s.fallback = l.groups[c.Default.Name]
		}
		l.services[c.Address] = s
	}
	return nil
}

// openListeners opens the listeners that are not open yet. All that were handed over are
// taken before others are opened, which may be in the way of those that nobody takes.
func (l *loading) openListeners() error {
	for _, c := range l.config.Listeners {
		if l.forwarder.listeners[c.Address] != nil {
			continue
		}
		if tcp := takeListener(l.inherited, c.Address); tcp != nil {
			l.opened[c.Address] = tcp
		}
	}
	for _, c := range l.config.Listeners {
		if l.forwarder.listeners[c.Address] != nil || l.opened[c.Address] != nil {
			continue
		}
		tcp, err := l.open(c.Address)
		if err != nil {
			return err
		}
		l.opened[c.Address] = tcp
	}
	return nil
}

// retireInherited deals with the listeners that nobody wants.
func (l *loading) retireInherited() {
	f := l.forwarder
	for _, tcp := range l.inherited {
		if tcp == nil {
			continue
		}
		f.notice("listener on %s was handed over but is not configured; closed", tcp.Addr())
		var heirs []*listener
		for _, n := range f.listeners {
			if config.Overlap(addrPort(tcp.Addr()), n.addr) {
				heirs = append(heirs, n)
			}
		}
		if heirs == nil {
			_ = tcp.Close()
			continue
		}
		f.retired.add(tcp, heirs)
	}
}

// takeListener takes the listener of an address out of a list.
func takeListener(list []*net.TCPListener, addr netip.AddrPort) *net.TCPListener {
	for i, tcp := range list {
		if tcp != nil && sameListener(addrPort(tcp.Addr()), addr) {
			list[i] = nil
			return tcp
		}
	}
	return nil
}

// sameListener tells whether an open listener is the one that an address asks for:
// what is configured as all addresses of IPv4 may be open for those of IPv6, too.
func sameListener(open, configured netip.AddrPort) bool {
	if open.Port() != configured.Port() {
		return false
	}
	a, b := open.Addr(), configured.Addr()
	return a == b.Unmap() || a.IsUnspecified() && b.IsUnspecified() && a.Is6()
}

func (l *loading) openLog() (err error) {
	f := l.forwarder
	if old := f.config; old != nil && sameLog(old.AccessLog, l.config.AccessLog) {
		return nil
	}
	l.newLog = true
	if c := l.config.AccessLog; c != nil {
		l.log, err = accesslog.Open(c.Config(f.output, func(err error) { f.notices.limited("access log", "%v", err) }))
	}
	return err
}

func sameLog(a, b *config.AccessLog) bool {
	return a == nil && b == nil || a != nil && b != nil && *a == *b
}

func (l *loading) openScrapes() (err error) {
	f := l.forwarder
	if !l.newScrape || l.config.Metrics == "" {
		return nil
	}
	addr, err := net.ResolveTCPAddr("tcp", l.config.Metrics)
	if err != nil {
		return fmt.Errorf("serve metrics: %w", err)
	}
	tcp, err := l.open(addrPort(addr))
	if err != nil {
		return fmt.Errorf("serve metrics: %w", err)
	}
	l.scrapes = serveScrapes(tcp, f.metrics.Handler())
	return nil
}

// takeOver makes the new configuration the one in force.
func (l *loading) takeOver() {
	f := l.forwarder
	for addr, old := range f.listeners {
		if l.services[addr] == nil {
			old.stop(false)
			delete(f.listeners, addr)
		}
	}
	if l.newLog {
		if old := f.log.Swap(l.log); old != nil {
			_ = old.Close()
		}
	}
	if l.newScrape {
		if f.scrapes != nil {
			f.scrapes.close()
		}
		f.scrapes = l.scrapes
	}
	for _, g := range f.groups {
		_ = g.Close()
	}
	f.groups, f.config = l.groups, l.config
	for _, c := range l.config.Listeners {
		l.start(c)
	}
	l.retireInherited()
}

// start makes a listener serve by its new configuration, and accept if it is new.
func (l *loading) start(c *config.Listener) {
	f := l.forwarder
	if old := f.listeners[c.Address]; old != nil {
		old.service.Store(l.services[c.Address])
		return
	}
	tcp := l.opened[c.Address]
	n := &listener{forwarder: f, addr: addrPort(tcp.Addr()), tcp: tcp, done: make(chan struct{})}
	n.service.Store(l.services[c.Address])
	f.own.Add(n.addr)
	f.listeners[c.Address] = n
	go n.accept()
}

// giveUp undoes what was done so far, and lets go of what was handed over.
func (l *loading) giveUp() {
	for _, tcp := range l.inherited {
		if tcp != nil {
			_ = tcp.Close()
		}
	}
	for _, g := range l.groups {
		_ = g.Close()
	}
	for _, tcp := range l.opened {
		_ = tcp.Close()
	}
	if l.log != nil {
		_ = l.log.Close()
	}
	if l.scrapes != nil {
		l.scrapes.close()
	}
}
