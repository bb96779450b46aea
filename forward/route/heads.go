package route

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/waggle-bpf/waggle/forward/head"
)

// headCondition is about the head of one protocol.
type headCondition struct {
	protocol head.Protocol
	match    func(*head.Head) bool
	// name and value make the reason: "host=example.org".
	name  string
	value func(*head.Head) string
	names *names // of host names, if it is about those
}

func (c *headCondition) test(d *Decider, in *Input) truth {
	if t := d.about(c.protocol, in); t != isTrue {
		return t
	}
	return truthOf(c.match(d.Head()))
}

func (c *headCondition) why(d *Decider, _ *Input) string {
	return c.name + "=" + c.value(d.Head())
}

func buildSNI(c *compiler, m *Match) condition {
	if len(m.SNI) == 0 {
		return nil
	}
	c.only("SNI", head.TLS)
	names := c.names("SNI", m.SNI)
	return named(head.TLS, "sni", func(h *head.Head) string { return h.SNI }, names)
}

func buildHost(c *compiler, m *Match) condition {
	if len(m.Host) == 0 {
		return nil
	}
	c.only("Host", head.HTTP)
	names := c.names("Host", m.Host)
	return named(head.HTTP, "host", func(h *head.Head) string { return h.Host }, names)
}

// named is a condition on a host name.
func named(p head.Protocol, name string, value func(*head.Head) string, names *names) condition {
	return &headCondition{p, func(h *head.Head) bool { return names.match(value(h)) }, name, value, names}
}

func buildALPN(c *compiler, m *Match) condition {
	if len(m.ALPN) == 0 {
		return nil
	}
	c.only("ALPN", head.TLS)
	c.texts("ALPN", m.ALPN)
	wanted := func(p string) bool { return slices.Contains(m.ALPN, p) }
	return &headCondition{head.TLS,
		func(h *head.Head) bool { return slices.ContainsFunc(h.ALPN, wanted) },
		"alpn", func(h *head.Head) string { return h.ALPN[slices.IndexFunc(h.ALPN, wanted)] }, nil}
}

func buildMethod(c *compiler, m *Match) condition {
	if len(m.Method) == 0 {
		return nil
	}
	c.only("Method", head.HTTP)
	c.methodNames(m.Method)
	return &headCondition{head.HTTP,
		func(h *head.Head) bool { return slices.Contains(m.Method, h.Method) },
		"method", func(h *head.Head) string { return h.Method }, nil}
}

// buildPath makes one condition of both fields: a path fits one or the other.
func buildPath(c *compiler, m *Match) condition {
	if len(m.Path)+len(m.PathPrefix) == 0 {
		return nil
	}
	exact := c.paths("Path", m.Path)
	prefixes := c.paths("PathPrefix", m.PathPrefix)
	match := func(h *head.Head) bool {
		return slices.Contains(exact, h.Path) || slices.ContainsFunc(prefixes, func(p string) bool { return below(h.Path, p) })
	}
	return &headCondition{head.HTTP, match, "path", func(h *head.Head) string { return h.Path }, nil}
}

// below tells whether a path is the prefix or below it, as directories are.
func below(path, prefix string) bool {
	rest, ok := strings.CutPrefix(path, prefix)
	return ok && (rest == "" || rest[0] == '/' || strings.HasSuffix(prefix, "/"))
}

func (c *compiler) paths(field string, paths []string) []string {
	if len(paths) > 0 {
		c.only(field, head.HTTP)
	}
	for i, p := range paths {
		normal, ok := head.Path(p)
		switch {
		case !ok:
			c.fail(field, i, fmt.Errorf("%q: a path begins with / and doesn't climb above it", p))
		case normal != p:
			c.fail(field, i, fmt.Errorf("%q never matches: paths are compared in their normal form, %q", p, normal))
		}
	}
	return paths
}

func buildHeaders(c *compiler, m *Match) condition {
	if len(m.Headers) == 0 {
		return nil
	}
	c.only("Headers", head.HTTP)
	for i, want := range m.Headers {
		if !head.Token(want.Name) {
			c.fail("Headers", i, fmt.Errorf("%q: not the name of a header field", want.Name))
		}
	}
	match := func(h *head.Head) bool {
		return !slices.ContainsFunc(m.Headers, func(want Header) bool { return !want.in(h) })
	}
	return &headCondition{head.HTTP, match, "header", func(*head.Head) string { return headerNames(m.Headers) }, nil}
}

// in tells whether one of the fields of that name has one of the values.
func (want *Header) in(h *head.Head) bool {
	return slices.ContainsFunc(h.Fields, func(f head.Field) bool {
		return strings.EqualFold(f.Name, want.Name) && (len(want.Values) == 0 || slices.Contains(want.Values, f.Value))
	})
}

func headerNames(headers []Header) string {
	names := make([]string, len(headers))
	for i, h := range headers {
		names[i] = h.Name
	}
	return strings.Join(names, ",")
}

func buildSSH(c *compiler, m *Match) condition {
	if len(m.SSH) == 0 {
		return nil
	}
	c.only("SSH", head.SSH)
	for i, s := range m.SSH {
		if n := min(len(s), len("SSH-")); s == "" || s[:n] != "SSH-"[:n] {
			c.fail("SSH", i, errors.New(`banners begin with "SSH-"`))
		}
	}
	match := func(h *head.Head) bool {
		return slices.ContainsFunc(m.SSH, func(p string) bool { return strings.HasPrefix(h.Banner, p) })
	}
	return &headCondition{head.SSH, match, "ssh", func(h *head.Head) string { return h.Banner }, nil}
}

// protocolCondition needs no more of a head than what tells its protocol.
type protocolCondition struct {
	wanted head.Set
	all    []head.Protocol
}

func (c *protocolCondition) test(d *Decider, in *Input) truth {
	h := d.look(in)
	switch {
	case h.Protocol != head.None:
		return truthOf(c.wanted.Has(h.Protocol))
	case !slices.ContainsFunc(c.all, h.May):
		return isFalse
	case in.End == Open:
		return unknown
	}
	// What was not enough to be certain is of no known protocol; silence is nothing.
	return truthOf(len(in.Bytes) > 0 && c.wanted.Has(head.Other))
}

func (c *protocolCondition) why(d *Decider, _ *Input) string {
	if p := d.Head().Protocol; p != head.None {
		return "protocol=" + p.String()
	}
	return "protocol=" + head.Other.String()
}

func buildProtocol(c *compiler, m *Match) condition {
	if len(m.Protocol) == 0 {
		return nil
	}
	cond := new(protocolCondition)
	for i, name := range m.Protocol {
		p, ok := head.ProtocolNamed(name)
		if !ok {
			c.fail("Protocol", i, fmt.Errorf("%q is none of tls, http, h2, ssh and other", name))
			continue
		}
		cond.all = append(cond.all, p)
	}
	cond.wanted = head.SetOf(cond.all...)
	if len(cond.all) > 0 {
		c.only("Protocol", cond.all...)
	}
	return cond
}

// prefixCondition is about the first bytes, whatever they mean.
type prefixCondition []string

func (p prefixCondition) test(_ *Decider, in *Input) truth {
	result := isFalse
	for _, prefix := range p {
		n := min(len(in.Bytes), len(prefix))
		if string(in.Bytes[:n]) != prefix[:n] {
			continue
		}
		if n == len(prefix) {
			return isTrue
		}
		if in.End == Open {
			result = unknown
		}
	}
	return result
}

func (p prefixCondition) why(_ *Decider, in *Input) string {
	for _, prefix := range p {
		if len(in.Bytes) >= len(prefix) && string(in.Bytes[:len(prefix)]) == prefix {
			return fmt.Sprintf("prefix=%q", prefix)
		}
	}
	return ""
}

func buildPrefix(c *compiler, m *Match) condition {
	if len(m.Prefix) == 0 {
		return nil
	}
	c.texts("Prefix", m.Prefix)
	for i, p := range m.Prefix {
		if len(p) > c.table.max {
			c.fail("Prefix", i, fmt.Errorf("longer than %d, the bytes that are looked at", c.table.max))
		}
	}
	return prefixCondition(m.Prefix)
}
