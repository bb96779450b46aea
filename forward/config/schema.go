package config

import (
	"net"
	"net/netip"
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/waggle-bpf/waggle/forward/accesslog"
)

// What values are called in more than one place.
const (
	wantDuration = "duration"
	wantTimeout  = "duration or `none`"
	wantNumber   = "number"
	wantText     = "text"
	wantNetworks = "networks"
	wantGroup    = "name of a group"
	wantBoolean  = "`true` or `false`"
)

// top is the fields of the file.
func (d *decoder) top(c *Config) []field {
	return []field{
		{name: "listeners", want: "mapping from names", doc: "Where connections come in.", set: d.listeners(c), sub: d.listener(new(Listener), new(routes))},
		{name: "groups", want: "mapping from names", doc: "Groups of backends. A list is short for a group that has only `backends`.", set: d.groupsOf(c), sub: d.groupFields(new(Group))},
		{name: "timeouts", want: "mapping", doc: "What ends connections.", set: d.section(d.timeouts(&c.Timeouts)), sub: d.timeouts(&c.Timeouts)},
		{name: "limits", want: "mapping", doc: "What clients can take.", set: d.section(d.limits(&c.Limits)), sub: d.limits(&c.Limits)},
		{name: "access_log", want: "mapping", std: "none", doc: "One line for each connection. A text is short for `path`.", set: d.accessLog(c), sub: d.accessLogFields(new(AccessLog))},
		{name: "metrics", want: "HOST:PORT", std: "none", doc: "Where Prometheus gets metrics, at `/metrics`.", set: d.metrics(c)},
		{name: "drain", want: "duration, `0` or `none`", std: "30s", doc: "How long connections may go on when the forwarder is told to end. With `none` as long as they like, with `0` they are reset at once.", set: parsed(d, &c.Drain, "a duration such as 5s, 0 or none", ParseDrain)},
		{name: "persist", want: wantBoolean, std: "true", doc: "Connections that the kernel moves by itself (engine packet) go on when the forwarder ends or crashes, and one that is started afterwards takes them over. If false, nothing of them stays.", set: d.boolean(&c.Persist)},
	}
}

func (d *decoder) timeouts(t *Timeouts) []field {
	return []field{
		{name: "header", want: wantTimeout, std: "5s", doc: "From accept until it is clear where the connection goes. A client that keeps silent so long goes where routes or the default send silent clients. A backend has as long to take the client's first bytes.", set: d.timeout(&t.Header)},
		{name: "idle", want: wantTimeout, std: "24h", doc: "Without a byte in either direction, once the connection is forwarded.", set: d.timeout(&t.Idle)},
		{name: "lifetime", want: wantTimeout, std: "none", doc: "From accept to the end, whatever happens, also if the connection isn't forwarded yet.", set: d.timeout(&t.Lifetime)},
		{name: "half_close", want: wantTimeout, std: "1h", doc: "From the end of one direction to that of the other.", set: d.timeout(&t.HalfClose)},
	}
}

func (d *decoder) limits(l *Limits) []field {
	const many = 1 << 30
	return []field{
		{name: "connections", want: wantNumber, std: "what file descriptors allow", doc: "Connections of all listeners together. More are reset.", set: d.integer(&l.Connections, 1, many)},
		{name: "per_source", want: wantNumber, std: "any", doc: "Connections of one client address, which is the one in the PROXY header if that is believed; of IPv6 addresses, those of a /64 count as one.", set: d.integer(&l.PerSource, 1, many)},
		{name: "header_bytes", want: "size", std: "64KiB", doc: "What is read of a client to find out where it goes.", set: d.size(&l.HeaderBytes, 512, 1<<20)},
		{name: "reserve_files", want: wantNumber, std: "64", doc: "File descriptors that no connection may take.", set: d.integer(&l.ReserveFiles, 0, 1<<20)},
	}
}

func (d *decoder) accessLog(c *Config) setter {
	return func(n *yaml.Node) {
		a := &AccessLog{Path: "-"}
		c.AccessLog = a
		if n = d.resolve(n); n.Kind == yaml.ScalarNode {
			d.text(&a.Path)(n)
			return
		}
		d.mapping(n, d.accessLogFields(a))
	}
}

func (d *decoder) accessLogFields(a *AccessLog) []field {
	formats := accesslog.Formats()
	return []field{
		{name: "path", want: "path", std: "`-`", doc: "A file to append to, opened again on SIGHUP; `-` is standard output.", set: d.text(&a.Path)},
		{name: "format", want: codeList(formats), std: formats[0], doc: "`text` is key=value pairs (logfmt).", set: d.choice(formats, func(i int) { a.Format = accesslog.Format(i) })},
	}
}

func (d *decoder) metrics(c *Config) setter {
	return d.scalar("HOST:PORT", func(n *yaml.Node) {
		host, port, err := net.SplitHostPort(n.Value)
		_, perr := strconv.ParseUint(port, 10, 16)
		if _, herr := netip.ParseAddr(host); err != nil || perr != nil || host != "" && host != "localhost" && herr != nil {
			d.fail(n, "%s is not an address such as 127.0.0.1:9900 or :9900", quote(n.Value))
			return
		}
		c.Metrics = n.Value
	})
}

func (d *decoder) listeners(c *Config) setter {
	return d.named("listeners", func(name string, keyNode, n *yaml.Node) {
		l := &Listener{Name: name, Engine: Engines[0]}
		l.Proxy.Require = true
		var r routes
		seen := d.mapping(n, d.listener(l, &r))
		c.Listeners = append(c.Listeners, l)
		if seen == nil {
			return
		}
		if seen["address"] == nil {
			d.fail(keyNode, "listener %s has no address", name)
		}
		if seen["to"] == nil && seen["routes"] == nil {
			d.fail(keyNode, "listener %s leads nowhere; give it a group with to, or routes", name)
		}
		d.addresses = append(d.addresses, address{seen["address"], l})
		d.tables = append(d.tables, table{l, &r})
	})
}

func (d *decoder) listener(l *Listener, r *routes) []field {
	return []field{
		{name: "address", want: "ADDRESS:PORT", doc: "Where to listen. `:PORT` is all addresses of the machine, IPv4 and IPv6.", set: parsed(d, &l.Address, "ADDRESS:PORT", parseListen)},
		{name: "to", want: wantGroup, doc: "Where connections go that no route takes. Without it they are refused.", set: d.group(func(g *Group) { l.Default = g })},
		{name: "routes", want: "list", doc: "Where connections go: the first route whose conditions all hold counts.", set: d.routes(r), sub: d.routeFields(new(rule))},
		{name: "engine", want: codeList(Engines), std: Engines[0], doc: "What moves the bytes. All but `auto` have to be able to run on this machine; a connection that the engine can't take goes with `splice`, and the access log says why.", set: d.choice(Engines, func(i int) { l.Engine = Engines[i] })},
		{name: "proxy", want: "mapping", doc: "Whose PROXY headers (version 1 or 2) say who the client is. A list of networks is short for `from`.", set: d.proxy(l), sub: d.proxyFields(l)},
	}
}

func (d *decoder) proxy(l *Listener) setter {
	return func(n *yaml.Node) {
		if n = d.resolve(n); n.Kind != yaml.MappingNode {
			d.networks(&l.Proxy.Trusted)(n)
			return
		}
		if seen := d.mapping(n, d.proxyFields(l)); seen != nil && seen["from"] == nil {
			d.fail(n, "from is missing: the networks whose headers are believed")
		}
	}
}

func (d *decoder) proxyFields(l *Listener) []field {
	return []field{
		{name: "from", want: wantNetworks, doc: "Who may send a header. One from anybody else ends the connection.", set: d.networks(&l.Proxy.Trusted)},
		{name: "require", want: wantBoolean, std: "true", doc: "Whether they have to.", set: d.boolean(&l.Proxy.Require)},
	}
}

// codeList is words for the reference.
func codeList(words []string) string {
	marked := make([]string, len(words))
	for i, w := range words {
		marked[i] = "`" + w + "`"
	}
	return orList(marked)
}
