package config

import (
	"cmp"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/waggle-bpf/waggle/forward/backend"
	"github.com/waggle-bpf/waggle/forward/head"
)

func (d *decoder) groupsOf(c *Config) setter {
	return d.named("groups", func(name string, keyNode, n *yaml.Node) {
		g := new(Group)
		g.Name = name
		before := len(d.errs)
		if n = d.resolve(n); n.Kind == yaml.SequenceNode {
			d.backends(g)(n)
		} else if seen := d.mapping(n, d.groupFields(g)); seen != nil && seen["backends"] == nil {
			d.fail(keyNode, "group %s has no backends", name)
		}
		g.settleCheckProxy()
		c.Groups = append(c.Groups, g)
		if len(d.errs) > before {
			d.broken[name] = true
			return
		}
		d.groups[name] = g
	})
}

func (d *decoder) groupFields(g *Group) []field {
	policies := backend.Policies()
	return []field{
		{name: "backends", want: "list", doc: "HOST:PORT each, or a mapping. A name stands for all its addresses.", set: d.backends(g), sub: d.backendFields(new(backend.Target))},
		{name: "policy", want: codeList(policies), std: policies[0], doc: "Which backend a connection gets. `hash-source` is always the same one for a client's address, `hash-name` for the name that it asks for (SNI or Host); when a backend goes, only its clients move.", set: d.choice(policies, func(i int) { g.Policy = backend.Policy(i) })},
		{name: "send_proxy", want: codeList(proxyVersions), std: proxyVersions[0], doc: "The PROXY header that says to backends who the client is.", set: d.choice(proxyVersions, func(i int) { g.SendProxy = ProxyOut(i) })},
		{name: "connect", want: "mapping", doc: "How backends are dialled.", set: d.connect(g), sub: d.connectFields(g, new(origin))},
		{name: "check", want: "mapping", std: "none", doc: "The active health check. `tcp` is short for one that only connects.", set: d.check(g), sub: d.checkFields(new(backend.Check), new(probes))},
		{name: "eject", want: "mapping or `none`", doc: "The passive health check: dials that go wrong take a backend out for a while. The last one stays.", set: d.eject(g), sub: d.ejectFields(&g.Eject)},
		{name: "resolve", want: wantDuration, std: shortest(backend.DefaultResolveTTL), doc: "How long the addresses of a name are believed, unless one of them doesn't answer.", set: d.duration(&g.ResolveTTL)},
	}
}

// asGroup is the PROXY header of a check that doesn't say which.
const asGroup ProxyOut = -1

// settleCheckProxy makes checks begin as connections do, unless they go to another port,
// where something else listens.
func (g *Group) settleCheckProxy() {
	switch {
	case g.CheckProxy != asGroup:
	case g.Check.Port != 0:
		g.CheckProxy = NoProxy
	default:
		g.CheckProxy = g.SendProxy
	}
}

var proxyVersions = []string{NoProxy: "none", ProxyV1: "v1", ProxyV2: "v2"}

func (d *decoder) backends(g *Group) setter {
	lines := make(map[string]int)
	return d.each(func(n *yaml.Node) {
		n = d.resolve(n)
		var t backend.Target
		at := n
		if n.Kind == yaml.MappingNode {
			seen := d.mapping(n, d.backendFields(&t))
			if seen["address"] == nil {
				d.fail(n, "the backend has no address")
				return
			}
			at = seen["address"]
		} else {
			parsed(d, &t.Address, "HOST:PORT or a mapping", parseBackend)(n)
		}
		if t.Address == "" {
			return
		}
		if line := lines[t.Address]; line > 0 {
			d.fail(at, "backend %s is there twice, first in line %d", t.Address, line)
		}
		lines[t.Address] = at.Line
		g.Targets = append(g.Targets, t)
		d.targets = append(d.targets, target{at, t.Address})
	})
}

func (d *decoder) backendFields(t *backend.Target) []field {
	return []field{
		{name: "address", want: "HOST:PORT", doc: "Where it is.", set: parsed(d, &t.Address, "HOST:PORT", parseBackend)},
		{name: "weight", want: wantNumber, std: "1", doc: fmt.Sprintf("Its share of the connections, compared with others, 1 to %d.", backend.MaxWeight), set: d.integer(&t.Weight, 1, backend.MaxWeight)},
	}
}

func parseBackend(s string) (string, error) {
	host, _, err := backend.SplitAddress(s)
	if err != nil {
		return "", err
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return s, nil
	}
	if _, ok := head.Name(host); !ok {
		return "", fmt.Errorf("%s is neither a host name nor an address", quote(host))
	}
	return s, nil
}

// origin is where connections to backends come from.
type origin struct {
	source            netip.Addr
	device            string
	mark, segmentSize int
}

func (d *decoder) connect(g *Group) setter {
	return func(n *yaml.Node) {
		var o origin
		d.mapping(n, d.connectFields(g, &o))
		var controls []backend.Control
		if o.mark > 0 {
			controls = append(controls, backend.Mark(uint32(o.mark)))
		}
		if o.device != "" {
			controls = append(controls, backend.Device(o.device))
		}
		if o.segmentSize > 0 {
			controls = append(controls, backend.MaxSegment(o.segmentSize))
		}
		if o.source.IsValid() {
			controls = append(controls, backend.From(o.source))
		}
		g.Control = backend.Controls(controls...)
	}
}

func (d *decoder) connectFields(g *Group, o *origin) []field {
	return []field{
		{name: "timeout", want: wantDuration, std: shortest(backend.DefaultConnectTimeout), doc: "For one attempt.", set: d.duration(&g.ConnectTimeout)},
		{name: "attempts", want: wantNumber, std: strconv.Itoa(backend.DefaultAttempts), doc: "How many different backends a connection tries.", set: d.integer(&g.Attempts, 1, 100)},
		{name: "source", want: "IP address", doc: "An address of this machine that connections come from.", set: parsed(d, &o.source, "an IP address", parseAddr)},
		{name: "interface", want: wantText, doc: "A network device or VRF that connections leave by (SO_BINDTODEVICE).", set: parsed(d, &o.device, "the name of a network device", parseDevice)},
		{name: "mark", want: wantNumber, doc: "A mark for routing rules and packet filters (SO_MARK).", set: d.integer(&o.mark, 1, 1<<32-1)},
		{name: "max_segment", want: wantNumber, doc: "The largest segment that backends may send, in bytes (TCP_MAXSEG).", set: d.integer(&o.segmentSize, 88, 32767)},
	}
}

// parseDevice reads the name of a network device, which is shorter than IFNAMSIZ.
func parseDevice(s string) (string, error) {
	if s == "" || len(s) > 15 || strings.ContainsAny(s, "/ \t\n:") {
		return "", fmt.Errorf("%s is not the name of a network device", quote(s))
	}
	return s, nil
}

// probes is what of a check can be set beside the rest of it: at most one of http and
// expect.
type probes struct {
	http         backend.HTTP
	send, expect string
	proxy        ProxyOut
}

func (d *decoder) check(g *Group) setter {
	return func(n *yaml.Node) {
		c := new(backend.Check)
		g.Check, g.CheckProxy = c, asGroup
		if n = d.resolve(n); n.Kind == yaml.ScalarNode {
			d.choice([]string{"tcp"}, func(int) {})(n)
			return
		}
		p := probes{proxy: asGroup}
		seen := d.mapping(n, d.checkFields(c, &p))
		g.CheckProxy = p.proxy
		switch {
		case seen["http"] != nil && (seen["send"] != nil || seen["expect"] != nil):
			d.fail(n, "the check has http and send or expect; it can be only one of them")
		case seen["send"] != nil && seen["expect"] == nil:
			d.fail(seen["send"], "send without expect: nobody looks at the answer")
		case seen["http"] != nil:
			c.Probe = p.http
		case seen["expect"] != nil:
			c.Probe = backend.Expect{Send: []byte(p.send), Expect: []byte(p.expect)}
		}
	}
}

func (d *decoder) checkFields(c *backend.Check, p *probes) []field {
	port := 0
	return []field{
		{name: "http", want: "mapping", doc: "Ask for a page. A text is short for `path`.", set: d.httpCheck(&p.http), sub: d.httpFields(&p.http)},
		{name: "send", want: wantText, doc: "Bytes to send; `hex:16 03` for such that are no text.", set: parsed(d, &p.send, "text", parseBytes)},
		{name: "expect", want: wantText, doc: "What the answer has to begin with. Without it and without `http`, a connection is enough.", set: parsed(d, &p.expect, "text", parseBytes)},
		{name: "send_proxy", want: codeList(proxyVersions), std: "the group's, without `port`", doc: "The PROXY header that a check begins with. It says that the forwarder speaks for itself (LOCAL, or UNKNOWN in version 1).", set: d.choice(proxyVersions, func(i int) { p.proxy = ProxyOut(i) })},
		{name: "port", want: wantNumber, std: "the backend's", doc: "Another port to check.", set: func(n *yaml.Node) {
			d.integer(&port, 1, 65535)(n)
			c.Port = uint16(port)
		}},
		{name: "interval", want: wantDuration, std: shortest(backend.DefaultCheckInterval), doc: "From one check to the next.", set: d.duration(&c.Interval)},
		{name: "timeout", want: wantDuration, std: shortest(backend.DefaultCheckTimeout), doc: "For a whole check.", set: d.duration(&c.Timeout)},
		{name: "rise", want: wantNumber, std: strconv.Itoa(backend.DefaultRise), doc: "Good checks in a row until a backend is up again.", set: d.integer(&c.Rise, 1, 1000)},
		{name: "fall", want: wantNumber, std: strconv.Itoa(backend.DefaultFall), doc: "Bad checks in a row until it is down. The first check of all decides alone.", set: d.integer(&c.Fall, 1, 1000)},
	}
}

func (d *decoder) httpCheck(p *backend.HTTP) setter {
	return func(n *yaml.Node) {
		if n = d.resolve(n); n.Kind == yaml.ScalarNode {
			parsed(d, &p.Path, "a path", parsePath)(n)
			return
		}
		d.mapping(n, d.httpFields(p))
	}
}

func (d *decoder) httpFields(p *backend.HTTP) []field {
	return []field{
		{name: "path", want: "path", std: "`/`", doc: "What to ask for.", set: parsed(d, &p.Path, "a path", parsePath)},
		{name: "host", want: wantText, std: "the backend's address", doc: "The Host header.", set: parsed(d, &p.Host, "a host name", parseToken)},
		{name: "method", want: wantText, std: "GET", doc: "The method.", set: parsed(d, &p.Method, "a method", parseToken)},
		{name: "status", want: "numbers or ranges", std: "200-399", doc: "The status codes that are good.", set: added(d, &p.Status, "a status code or a range such as 200-299", parseStatus)},
	}
}

func parsePath(s string) (string, error) {
	if !strings.HasPrefix(s, "/") || !isVisible(s) {
		return "", fmt.Errorf("%s is not a path such as /healthz", quote(s))
	}
	return s, nil
}

// parseToken reads a word that can stand in a request.
func parseToken(s string) (string, error) {
	if s == "" || !isVisible(s) {
		return "", fmt.Errorf("%s can't stand in a request", quote(s))
	}
	return s, nil
}

// isVisible tells whether a text is ASCII without blanks and control characters.
func isVisible(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

func parseStatus(s string) (r backend.StatusRange, err error) {
	from, to, isRange := strings.Cut(s, "-")
	if !isRange {
		to = from
	}
	if r.From, err = parseInt(from, 100, 999); err != nil {
		return r, fmt.Errorf("status %s: %w", quote(s), err)
	}
	if r.To, err = parseInt(to, r.From, 999); err != nil {
		return r, fmt.Errorf("status %s: %w", quote(s), err)
	}
	return r, nil
}

func (d *decoder) eject(g *Group) setter {
	return func(n *yaml.Node) {
		if n = d.resolve(n); n.Kind == yaml.ScalarNode {
			d.choice([]string{"none"}, func(int) { g.Eject.After = -1 })(n)
			return
		}
		seen := d.mapping(n, d.ejectFields(&g.Eject))
		first := cmp.Or(g.Eject.For, backend.DefaultEjectFor)
		if most := g.Eject.Max; most > 0 && most < first {
			d.fail(seen["max"], "%v is less than the first time, %v", most, first)
		}
	}
}

func (d *decoder) ejectFields(e *backend.Eject) []field {
	return []field{
		{name: "after", want: wantNumber, std: strconv.Itoa(backend.DefaultEjectAfter), doc: "Dials in a row that went wrong.", set: d.integer(&e.After, 1, 1000)},
		{name: "for", want: wantDuration, std: shortest(backend.DefaultEjectFor), doc: "How long the first time; twice as long each further time without a good dial in between.", set: d.duration(&e.For)},
		{name: "max", want: wantDuration, std: shortest(backend.DefaultEjectMax), doc: "How long at most.", set: d.duration(&e.Max)},
	}
}
