package config

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/waggle-bpf/waggle/forward/backend"
)

// Load reads a file. The error is Errors, unless the file can't be read.
func Load(path string) (*Config, error) {
	data, err := readFile(path, maxFile)
	if err != nil {
		return nil, fmt.Errorf("load configuration: %w", err)
	}
	return Parse(path, data)
}

// Parse reads a configuration. Name is that of its file: it is in the errors, and other
// files are looked for beside it.
func Parse(name string, data []byte) (*Config, error) {
	return newDecoder(name).parse(data)
}

func (d *decoder) parse(data []byte) (*Config, error) {
	c := Default()
	if n := d.document(data); n != nil {
		seen := d.mapping(n, d.top(c))
		if seen != nil && len(c.Listeners) == 0 && len(d.errs) == 0 {
			d.fail(n, "no listeners; nothing would come in")
		}
		d.checkAll(c)
	}
	if len(d.errs) > 0 {
		return nil, d.errs.sorted()
	}
	return c, nil
}

// document returns the only document of a file, nil after an error.
func (d *decoder) document(data []byte) *yaml.Node {
	dec := yaml.NewDecoder(strings.NewReader(string(data)))
	var doc, more yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		d.fail(&doc, "the file is empty; see docs/forward.yaml for an example")
		return nil
	case err != nil:
		d.syntax(err)
		return nil
	}
	switch err := dec.Decode(&more); {
	case err == nil:
		d.fail(&more, "a second document; a configuration is one")
		return nil
	case !errors.Is(err, io.EOF):
		d.syntax(err)
		return nil
	}
	if len(doc.Content) == 0 {
		return &doc
	}
	return doc.Content[0]
}

// yamlError is how package yaml reports an error: it knows no more than the line.
var yamlError = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)`)

func (d *decoder) syntax(err error) {
	at, text := new(yaml.Node), err.Error()
	if m := yamlError.FindStringSubmatch(text); m != nil {
		at.Line, _ = strconv.Atoi(m[1])
		text = m[2]
	}
	d.fail(at, "not YAML: %s", text)
}

// address is the address of a listener, target that of a backend.
type (
	address struct {
		node     *yaml.Node
		listener *Listener
	}
	target struct {
		node    *yaml.Node
		address string
	}
)

func (a address) port() uint16 { return a.listener.Address.Port() }

// checkAll checks what can be checked only when all is read.
func (d *decoder) checkAll(c *Config) {
	d.resolveGroups(c)
	for _, t := range d.tables {
		d.compile(t, c.Limits.HeaderBytes)
	}
	ports := d.byPort()
	d.checkAddresses(ports)
	d.checkLoops(ports)
}

// checkAddresses finds listeners that can't both listen.
func (d *decoder) checkAddresses(byPort map[uint16][]address) {
	for _, a := range d.addresses {
		for _, b := range byPort[a.port()] {
			if b.listener == a.listener {
				break
			}
			if Overlap(a.listener.Address, b.listener.Address) {
				d.fail(a.node, "listener %s has the address of listener %s, line %d", a.listener.Name, b.listener.Name, b.node.Line)
				break
			}
		}
	}
}

// byPort sorts the listeners' addresses, as far as they could be read.
func (d *decoder) byPort() map[uint16][]address {
	m := make(map[uint16][]address)
	for _, a := range d.addresses {
		if a.listener.Address.IsValid() {
			m[a.port()] = append(m[a.port()], a)
		}
	}
	return m
}

// Overlap tells whether a client could mean either of two addresses to listen at. If the
// port of both is 0, the kernel gives each its own, and only equal ones overlap.
func Overlap(a, b netip.AddrPort) bool {
	return a == b || a.Port() == b.Port() && a.Port() != 0 && (takes(a.Addr(), b.Addr()) || takes(b.Addr(), a.Addr()))
}

// takes tells whether a listener at an address takes connections to another one.
func takes(listener, to netip.Addr) bool {
	return listener == netip.IPv6Unspecified() || listener == netip.IPv4Unspecified() && to.Is4()
}

// checkLoops finds backends that are listeners.
func (d *decoder) checkLoops(byPort map[uint16][]address) {
	for _, t := range d.targets {
		_, port, _ := backend.SplitAddress(t.address) // it was read with that
		for _, a := range byPort[port] {
			if isListener(t.address, a.listener.Address) {
				d.fail(t.node, "backend %s is listener %s: connections would come back", t.address, a.listener.Name)
				break
			}
		}
	}
}

// isListener tells whether a backend is a listener, as far as that can be told without
// asking which addresses this machine has; a running forwarder does that, too.
func isListener(address string, own netip.AddrPort) bool {
	host, port, err := backend.SplitAddress(address)
	if err != nil || !own.IsValid() || own.Port() != port {
		return false
	}
	to, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	to = to.Unmap()
	return own.Addr() == to || takes(own.Addr(), to) && (to.IsLoopback() || to.IsUnspecified())
}

// Simple is the configuration of a forwarder with one listener and one group of backends,
// named after the addresses, as the command line makes it.
func Simple(listen string, to ...string) (*Config, error) {
	c := Default()
	at, err := parseListen(listen)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	g := new(Group)
	g.Name = strings.Join(to, ",")
	for _, t := range to {
		if _, err := parseBackend(t); err != nil {
			return nil, fmt.Errorf("forward: %w", err)
		}
		if slices.Contains(g.Targets, backend.Target{Address: t}) {
			return nil, fmt.Errorf("forward: backend %s is there twice", t)
		}
		g.Targets = append(g.Targets, backend.Target{Address: t})
	}
	if len(to) == 0 {
		return nil, errors.New("forward: no backend")
	}
	for _, t := range to {
		if isListener(t, at) {
			return nil, fmt.Errorf("forward: backend %s is the listener: connections would come back", t)
		}
	}
	c.Groups = []*Group{g}
	c.Listeners = []*Listener{{Name: listen, Address: at, Engine: Engines[0], Default: g}}
	return c, nil
}
