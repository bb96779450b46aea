package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/waggle-bpf/waggle/forward/route"
)

// rule is a route in the making, with the places of what was set.
type rule struct {
	route.Rule
	node  *yaml.Node            // as a whole
	at    map[string]*yaml.Node // values by key
	token map[string]*yaml.Node // those of the token
	wrong bool                  // something about it has been said already
}

// routes is the routes of a listener.
type routes struct {
	list  []*rule
	lines map[string]int // of names
}

// table is a listener whose routes are to be compiled.
type table struct {
	listener *Listener
	routes   *routes
}

func (d *decoder) routes(r *routes) setter {
	r.lines = make(map[string]int)
	return d.each(func(n *yaml.Node) {
		n = d.resolve(n)
		before := len(d.errs)
		it := &rule{node: n}
		r.list = append(r.list, it)
		it.at = d.mapping(n, d.routeFields(it))
		if it.at == nil {
			it.wrong = true
			return
		}
		d.name(it, r)
		switch to, refuse := it.at["to"], it.at["refuse"]; {
		case to == nil && refuse == nil:
			d.fail(n, "the route leads nowhere; give it a group with to, or refuse")
		case to != nil && refuse != nil:
			d.fail(refuse, "a route has to or refuse, not both")
		}
		it.wrong = len(d.errs) > before
	})
}

// name gives a route a name if it has none.
func (d *decoder) name(it *rule, r *routes) {
	n := it.at["name"]
	if n == nil {
		it.Name = "route-" + strconv.Itoa(len(r.list))
		return
	}
	if it.Name == "" {
		return // that has been said
	}
	if line := r.lines[it.Name]; line > 0 {
		d.fail(n, "route %s is there twice, first in line %d", it.Name, line)
	}
	r.lines[it.Name] = n.Line
}

func (d *decoder) routeFields(r *rule) []field {
	m := &r.When
	texts := func(to *[]string) setter { return d.texts(to) }
	return []field{
		{name: "name", want: wantText, doc: "For the access log.", set: parsed(d, &r.Name, "a name", parseName)},
		{name: "to", want: wantGroup, doc: "Where connections go.", set: d.group(func(g *Group) { r.Target = g.Name })},
		{name: "refuse", want: codeList(refusals), doc: "How they are refused: with RST, or with FIN.", set: d.choice(refusals, func(i int) { r.Refuse = route.Refusal(refusals[i]) })},

		{name: "protocol", want: "list of words", doc: "What the client speaks: `tls`, `http`, `h2`, `ssh` or `other`.", set: texts(&m.Protocol)},
		{name: "sni", want: "list of names", doc: "The name a TLS client asks for. `*.example.org` stands for names with one label in front, `**.example.org` for one or more, `*` for any name.", set: texts(&m.SNI)},
		{name: "alpn", want: "list of words", doc: "Protocols that a TLS client offers.", set: texts(&m.ALPN)},
		{name: "host", want: "list of names", doc: "The host of the first request of an HTTP/1 client, with wildcards as for `sni`. Clients that speak HTTP/2 without TLS are told by `protocol: h2` alone.", set: texts(&m.Host)},
		{name: "method", want: "list of words", doc: "Its method.", set: texts(&m.Method)},
		{name: "path", want: "list of paths", doc: "Its path, as a whole.", set: texts(&m.Path)},
		{name: "path_prefix", want: "list of paths", doc: "What its path begins with: `/api` is `/api` and what is below `/api/`.", set: texts(&m.PathPrefix)},
		{name: "headers", want: "mapping from names", doc: "Its header fields, with the values of which one has to be there; `*` for any value.", set: d.headers(m)},
		{name: "ssh", want: "list of texts", doc: "What the banner of an SSH client begins with: `SSH-2.0-OpenSSH`.", set: texts(&m.SSH)},
		{name: "prefix", want: "list of texts", doc: "What the client's bytes begin with; `hex:16 03` for such that are no text.", set: added(d, &m.Prefix, "text", parseBytes)},
		{name: "regexp", want: "regular expression", doc: "Has to match at the first byte (RE2 syntax, characters are bytes).", set: d.text(&m.Regexp)},
		{name: "expr", want: "expression", doc: "An expression (language of expr-lang) over `sni`, `alpn`, `host`, `path`, `method`, `headers`, `ssh`, `source`, `port`, `protocol` and `bytes`, with the functions `cidr(source, \"10.0.0.0/8\")` and `wildcard(sni, \"*.example.org\")`.", set: d.text(&m.Expr)},
		{name: "window", want: "size", std: "1024 for `regexp`", doc: "How many of the first bytes `regexp` and `expr` see.", set: d.size(&m.Window, 1, 1<<20)},
		{name: "source", want: wantNetworks, doc: "Networks of the client, according to its PROXY header if it has one.", set: d.networks(&m.Source)},
		{name: "peer", want: wantNetworks, doc: "Networks of the other end of the TCP connection.", set: d.networks(&m.Peer)},
		{name: "proxied", want: "`true`", doc: "There was a PROXY header that tells the client.", set: d.isTrue(&m.Proxied)},
		{name: "port", want: "list of numbers", doc: "Ports that the client connected to.", set: added(d, &m.Port, "a port", parsePort)},
		{name: "token", want: "mapping", doc: "A signed token that has to be there.", set: d.token(r), sub: d.tokenFields(new(route.Token))},
		{name: "silent", want: "`true`", doc: "The client has sent nothing by the header timeout: protocols in which the server speaks first.", set: d.isTrue(&m.Silent)},
	}
}

var refusals = []string{string(route.Reset), string(route.Close)}

func parseName(s string) (string, error) {
	if !nameRE.MatchString(s) {
		return "", fmt.Errorf("%s is no name; names are letters, digits, points, hyphens and underscores", quote(s))
	}
	return s, nil
}

func parsePort(s string) (uint16, error) {
	v, err := parseInt(s, 1, 65535)
	return uint16(v), err
}

// headers decodes a mapping from names of header fields to values.
func (d *decoder) headers(m *route.Match) setter {
	return func(n *yaml.Node) {
		n = d.resolve(n)
		if !d.is(n, yaml.MappingNode, "a mapping from names of header fields to values") {
			return
		}
		d.pairs(n, func(name string, _, value *yaml.Node) {
			h := route.Header{Name: name}
			d.texts(&h.Values)(value)
			for _, v := range h.Values {
				if v == "*" {
					h.Values = nil
					break
				}
			}
			m.Headers = append(m.Headers, h)
		})
	}
}

func (d *decoder) token(r *rule) setter {
	return func(n *yaml.Node) {
		r.When.Token = new(route.Token)
		r.token = d.mapping(n, d.tokenFields(r.When.Token))
	}
}

func (d *decoder) tokenFields(t *route.Token) []field {
	places := []string{string(route.InHeader), string(route.InLine), string(route.InSNI)}
	return []field{
		{name: "in", want: codeList(places), doc: "Where it is: in a header field of the first request, in a first line `TOKEN ...` of its own (which backends don't get), or in the first label of the server name.", set: d.choice(places, func(i int) { t.In = route.Place(places[i]) })},
		{name: "header", want: wantText, doc: "The name of the header field.", set: d.text(&t.Header)},
		{name: "scope", want: wantText, doc: "What the token has to be made for.", set: d.text(&t.Scope)},
		{name: "keys", want: "list of texts", doc: "Secrets of at least 16 bytes, any of which may have signed it: `file:PATH` or `env:NAME`.", set: d.keys(&t.Keys)},
	}
}

func (d *decoder) keys(to *route.Keys) setter {
	return d.each(d.scalar("file:PATH or env:NAME", func(n *yaml.Node) {
		key, err := d.secret(n.Value)
		if err != nil {
			d.fail(n, "%v", err)
		}
		*to = append(*to, key)
	}))
}

// Secret reads a secret as a configuration would: file:PATH or env:NAME.
func Secret(s string) ([]byte, error) { return newDecoder("").secret(s) }

// secret reads a secret. It is not in the configuration itself, which is shown, copied
// and checked in; what is written there instead is not repeated either.
func (d *decoder) secret(s string) ([]byte, error) {
	kind, name, _ := strings.Cut(s, ":")
	switch kind {
	case "file":
		data, err := d.readFile(name)
		if err != nil {
			return nil, fmt.Errorf("read key: %w", err)
		}
		return []byte(strings.TrimRight(string(data), "\r\n")), nil
	case "env":
		v, ok := d.getenv(name)
		if !ok {
			return nil, fmt.Errorf("the environment has no %s", name)
		}
		return []byte(v), nil
	}
	return nil, errors.New("a key is file:PATH or env:NAME")
}

// matchKeys are the keys in a file for the fields that package route names.
var matchKeys = map[string]string{
	"Target": "to", "Refuse": "refuse", "Protocol": "protocol", "SNI": "sni", "ALPN": "alpn", "Host": "host",
	"Method": "method", "Path": "path", "PathPrefix": "path_prefix", "Headers": "headers", "SSH": "ssh",
	"Prefix": "prefix", "Regexp": "regexp", "Expr": "expr", "Window": "window", "Source": "source", "Peer": "peer",
	"Proxied": "proxied", "Port": "port", "Token": "token", "Silent": "silent",
}

// compile makes the listener's table and reports what package route finds wrong.
func (d *decoder) compile(t table, max int) {
	if len(t.routes.list) == 0 {
		return
	}
	rules := make([]route.Rule, len(t.routes.list))
	for i, it := range t.routes.list {
		rules[i] = it.Rule
		if it.wrong || rules[i].Target == "" && rules[i].Refuse == route.Forward {
			// What is known of it is not all. That it is a route which some
			// connections take is.
			it.wrong = true
			rules[i] = route.Rule{When: route.Match{Port: []uint16{1}}, Refuse: route.Close}
		}
	}
	compiled, err := route.Compile(rules, route.Options{Max: max})
	var errs route.Errors
	if errors.As(err, &errs) {
		for _, e := range errs {
			if it := t.routes.list[e.Rule]; !it.wrong {
				d.fail(it.find(e), "%s%v", prefixOf(e), e.Err)
			}
		}
		return
	}
	t.listener.Routes, t.listener.Table = rules, compiled
}

// prefixOf names what an error is about, unless that is the route as a whole.
func prefixOf(e *route.FieldError) string {
	outer, inner, isToken := strings.Cut(e.Field, ".")
	switch {
	case e.Field == "":
		return ""
	case isToken:
		return strings.ToLower(inner) + ": "
	}
	return matchKeys[outer] + ": "
}

// find returns the place of what an error is about.
func (it *rule) find(e *route.FieldError) *yaml.Node {
	outer, inner, isToken := strings.Cut(e.Field, ".")
	n := it.at[matchKeys[outer]]
	if isToken && it.token[strings.ToLower(inner)] != nil {
		n = it.token[strings.ToLower(inner)]
	}
	if n == nil {
		return it.node
	}
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if i := e.Index; i >= 0 {
		switch {
		case n.Kind == yaml.SequenceNode && i < len(n.Content):
			return n.Content[i]
		case n.Kind == yaml.MappingNode && 2*i < len(n.Content):
			return n.Content[2*i]
		}
	}
	return n
}
