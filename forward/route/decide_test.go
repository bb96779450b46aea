package route_test

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waggle-bpf/waggle/forward/route"
)

func u16(b string) string {
	return string(binary.BigEndian.AppendUint16(nil, uint16(len(b)))) + b
}

// hello is a ClientHello with a server name and ALPN protocols, none if empty.
func hello(name string, protocols ...string) string {
	ext := ""
	if name != "" {
		ext += "\x00\x00" + u16(u16("\x00"+u16(name)))
	}
	list := ""
	for _, p := range protocols {
		list += string([]byte{byte(len(p))}) + p
	}
	if list != "" {
		ext += "\x00\x10" + u16(u16(list))
	}
	body := "\x03\x03" + strings.Repeat("r", 32) + "\x00" + u16("\x13\x01") + "\x01\x00" + u16(ext)
	return "\x16\x03\x01" + u16("\x01\x00"+u16(body))
}

func get(host, path string, fields ...string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n" + strings.Join(append(fields, "\r\n"), "\r\n")
}

func withRest(m route.Match) []route.Rule { return []route.Rule{to(m), {Name: "rest", Target: "z"}} }

// TestConditions: for each condition, what fulfils it and what doesn't.
func TestConditions(t *testing.T) {
	type match = route.Match
	networks := func(s ...string) (p []netip.Prefix) {
		for _, s := range s {
			p = append(p, netip.MustParsePrefix(s))
		}
		return p
	}
	conn := func(peer string) route.Conn {
		return route.Conn{Peer: netip.MustParseAddrPort(peer), Local: netip.MustParseAddrPort("192.0.2.9:443")}
	}
	proxied := conn("10.0.0.1:1")
	proxied.Source, proxied.Destination = netip.MustParseAddrPort("198.51.100.7:5"), netip.MustParseAddrPort("203.0.113.1:8443")
	usual := conn("10.1.2.3:4000")
	ssh := "SSH-2.0-OpenSSH_10.0\r\n"
	for _, test := range []struct {
		name  string
		match match
		conn  route.Conn
		bytes string
		why   string // of the rule, "" if it is passed over
	}{
		{"name", match{SNI: []string{"a.example"}}, usual, hello("A.example."), "sni=a.example"},
		{"second name", match{SNI: []string{"b.example", "a.example"}}, usual, hello("a.example"), "sni=a.example"},
		{"other name", match{SNI: []string{"a.example"}}, usual, hello("b.example"), ""},
		{"no name", match{SNI: []string{"a.example"}}, usual, hello(""), ""},
		{"no name, any", match{SNI: []string{"*"}}, usual, hello(""), ""},
		{"any name", match{SNI: []string{"*"}}, usual, hello("x"), "sni=x"},
		{"wildcard", match{SNI: []string{"*.Example"}}, usual, hello("a.example"), "sni=a.example"},
		{"wildcard, two labels", match{SNI: []string{"*.example"}}, usual, hello("a.b.example"), ""},
		{"wildcard, no label", match{SNI: []string{"*.example"}}, usual, hello("example"), ""},
		{"deep wildcard", match{SNI: []string{"**.example"}}, usual, hello("a.b.c.example"), "sni=a.b.c.example"},
		{"deep wildcard, one label", match{SNI: []string{"**.example"}}, usual, hello("a.example"), "sni=a.example"},
		{"deep wildcard, no label", match{SNI: []string{"**.example"}}, usual, hello("example"), ""},
		{"deep wildcard, part of a label", match{SNI: []string{"**.example"}}, usual, hello("a.myexample"), ""},
		{"address", match{SNI: []string{"192.0.2.1"}}, usual, hello("192.0.2.1"), "sni=192.0.2.1"},
		{"wildcard, address", match{SNI: []string{"*.0.2.1", "**.1"}}, usual, hello("192.0.2.1"), ""},
		{"name of HTTP", match{SNI: []string{"a"}}, usual, get("a", "/"), ""},

		{"ALPN", match{ALPN: []string{"h3", "h2"}}, usual, hello("", "http/1.1", "h2"), "alpn=h2"},
		{"other ALPN", match{ALPN: []string{"h2"}}, usual, hello("", "h2c"), ""},
		{"no ALPN", match{ALPN: []string{"h2"}}, usual, hello("a"), ""},

		{"host", match{Host: []string{"*.example"}}, usual, get("A.Example:80", "/"), "host=a.example"},
		{"other host", match{Host: []string{"a.example"}}, usual, get("b.example", "/"), ""},
		{"IPv6 host", match{Host: []string{"2001:DB8::1"}}, usual, get("[2001:db8:0::1]:80", "/"), "host=2001:db8::1"},
		{"method", match{Method: []string{"POST", "GET"}}, usual, get("a", "/"), "method=GET"},
		{"other method", match{Method: []string{"POST"}}, usual, get("a", "/"), ""},
		{"path", match{Path: []string{"/a"}}, usual, get("a", "/%61?q"), "path=/a"},
		{"longer path", match{Path: []string{"/a"}}, usual, get("a", "/a/"), ""},
		{"below a path", match{PathPrefix: []string{"/a"}}, usual, get("a", "/a/b"), "path=/a/b"},
		{"prefix itself", match{PathPrefix: []string{"/a"}}, usual, get("a", "/a"), "path=/a"},
		{"prefix of a name", match{PathPrefix: []string{"/a"}}, usual, get("a", "/ab"), ""},
		{"prefix with slash", match{PathPrefix: []string{"/a/"}}, usual, get("a", "/a/b"), "path=/a/b"},
		{"prefix with slash, without", match{PathPrefix: []string{"/a/"}}, usual, get("a", "/a"), ""},
		{"root prefix", match{PathPrefix: []string{"/"}}, usual, get("a", "/x"), "path=/x"},
		{"around the prefix", match{PathPrefix: []string{"/admin"}}, usual, get("a", "/x/..//%61dmin/"), "path=/admin/"},
		{"path or prefix", match{Path: []string{"/x"}, PathPrefix: []string{"/y"}}, usual, get("a", "/x"), "path=/x"},
		{"path with a line break", match{PathPrefix: []string{"/"}}, usual, get("a", "/%0aroute=evil"), `path=/\nroute=evil`},
		{"field", match{Headers: []route.Header{{Name: "x-a"}}}, usual, get("a", "/", "X-A: 1"), "header=x-a"},
		{"field's value", match{Headers: []route.Header{{"X-A", []string{"0", "1"}}}}, usual, get("a", "/", "X-a: 2", "X-a: 1"), "header=X-A"},
		{"field's other value", match{Headers: []route.Header{{"X-A", []string{"1"}}}}, usual, get("a", "/", "X-a: 11"), ""},
		{"two fields, one there", match{Headers: []route.Header{{Name: "X-A"}, {Name: "X-B"}}}, usual, get("a", "/", "X-a: 1"), ""},
		{"two fields", match{Headers: []route.Header{{Name: "X-A"}, {Name: "X-B"}}}, usual, get("a", "/", "X-a: 1", "X-b:"), "header=X-A,X-B"},

		{"ssh", match{Protocol: []string{"ssh"}}, usual, ssh, "protocol=ssh"},
		{"ssh, as soon as it is certain", match{Protocol: []string{"ssh"}}, usual, "SSH-", "protocol=ssh"},
		{"ssh, malformed", match{Protocol: []string{"ssh"}}, usual, "SSH-\r\n", "protocol=ssh"},
		{"banner", match{SSH: []string{"SSH-2.0-OpenSSH"}}, usual, ssh, "ssh=SSH-2.0-OpenSSH_10.0"},
		{"other banner", match{SSH: []string{"SSH-2.0-Go"}}, usual, ssh, ""},
		{"h2", match{Protocol: []string{"h2", "tls"}}, usual, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "protocol=h2"},
		{"other", match{Protocol: []string{"other"}}, usual, "\x00", "protocol=other"},
		{"not other", match{Protocol: []string{"other"}}, usual, ssh, ""},

		{"prefix", match{Prefix: []string{"\x00\x01", "\xff\x00x"}}, usual, "\xff\x00xy", `prefix="\xff\x00x"`},
		{"other prefix", match{Prefix: []string{"\x00\x01"}}, usual, "\x00\x02", ""},
		{"regexp", match{Regexp: `\xff[\x00-\x02]+z`}, usual, "\xff\x00\x01\x02z", `regexp=\xff[\x00-\x02]+z`},
		{"regexp not at the first byte", match{Regexp: `b`}, usual, "ab", ""},
		{"regexp, later", match{Regexp: `.*b`}, usual, "a\nb", "regexp=.*b"},

		{"source", match{Source: networks("10.0.0.0/8", "2001:db8::/32")}, usual, "", "source=10.1.2.3"},
		{"other source", match{Source: networks("10.0.0.0/16")}, usual, "\x00", ""},
		{"mapped source", match{Source: networks("10.0.0.0/8")}, conn("[::ffff:10.1.2.3]:1"), "", "source=10.1.2.3"},
		{"mapped network", match{Source: networks("::ffff:10.0.0.0/104")}, usual, "", "source=10.1.2.3"},
		{"zone", match{Source: networks("fe80::/10")}, conn("[fe80::1%eth0]:1"), "", "source=fe80::1"},
		{"source of a PROXY header", match{Source: networks("198.51.100.0/24")}, proxied, "", "source=198.51.100.7"},
		{"proxy's address", match{Source: networks("10.0.0.0/8")}, proxied, "\x00", ""},
		{"peer", match{Peer: networks("10.0.0.0/8")}, proxied, "", "peer=10.0.0.1"},
		{"proxied", match{Proxied: true}, proxied, "", "proxied by 10.0.0.1"},
		{"not proxied", match{Proxied: true}, usual, "\x00", ""},
		{"port", match{Port: []uint16{80, 443}}, usual, "", "port=443"},
		{"port of a PROXY header", match{Port: []uint16{8443}}, proxied, "", "port=8443"},
		{"other port", match{Port: []uint16{80}}, usual, "\x00", ""},

		{"two conditions", match{SNI: []string{"a"}, Port: []uint16{443}}, usual, hello("a"), "port=443 sni=a"},
		{"one of two", match{SNI: []string{"a"}, Port: []uint16{80}}, usual, hello("a"), ""},

		{"expression on TLS", match{Expr: `sni endsWith ".example" && "h2" in alpn`}, usual, hello("a.example", "h2"), `expr sni endsWith ".example" && "h2" in alpn`},
		{"expression on HTTP", match{Expr: `host == "a" && path startsWith "/x" && method == "GET" && headers["X-A"] == "1, 2"`}, usual, get("A:80", "/x", "x-a: 1", "X-A: 2"), `expr host == "a" && path startsWith "/x" && method == "GET" && headers["X-A"] == "1, 2"`},
		{"expression on two protocols", match{Expr: `sni == "a" or host == "a"`}, usual, get("a", "/"), `expr sni == "a" or host == "a"`},
		{"expression on SSH", match{Expr: `ssh contains "OpenSSH"`}, usual, ssh, `expr ssh contains "OpenSSH"`},
		{"expression on protocol", match{Expr: `protocol in ["other", "ssh"]`}, usual, "\x00", `expr protocol in ["other", "ssh"]`},
		{"expression on bytes", match{Expr: `bytes == "ab"`, Window: 2}, usual, "abc", `expr bytes == "ab"`},
		{"expression on the connection", match{Expr: `source == "10.1.2.3" && port == 443 && cidr(source, "10.0.0.0/8")`}, usual, "", `expr source == "10.1.2.3" && port == 443 && cidr(source, "10.0.0.0/8")`},
		{"expression with a pattern", match{Expr: `wildcard(sni, "**.example")`}, usual, hello("a.b.example"), `expr wildcard(sni, "**.example")`},
		{"false expression", match{Expr: `wildcard(sni, "*.example") || cidr(source, "11.0.0.0/8")`}, usual, hello("a.b.example"), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := compile(t, withRest(test.match)...).Decide(test.conn, route.Input{Bytes: []byte(test.bytes)})
			want := route.Decision{Verdict: route.Matched, Name: "r", Target: "a", Why: test.why}
			if test.why == "" {
				want = route.Decision{Verdict: route.Matched, Rule: 1, Name: "rest", Target: "z", Why: "default"}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestWhen: a table of many kinds, and what it says with how much of a connection.
func TestWhen(t *testing.T) {
	table := compile(t,
		route.Rule{Name: "local", When: route.Match{Source: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, Target: "local"},
		route.Rule{Name: "ssh", When: route.Match{Protocol: []string{"ssh"}}, Target: "ssh"},
		route.Rule{Name: "magic", When: route.Match{Prefix: []string{"MAGIC"}}, Target: "magic"},
		route.Rule{Name: "tls", When: route.Match{SNI: []string{"a.example"}}, Target: "tls"},
		route.Rule{Name: "admin", When: route.Match{Host: []string{"admin.example"}}, Refuse: route.Reset},
		route.Rule{Name: "web", When: route.Match{Protocol: []string{"http"}}, Target: "web"},
		route.Rule{Name: "re", When: route.Match{Regexp: `[0-9]+ [a-z]+;`, Window: 8}, Target: "re"},
		route.Rule{Name: "smtp", When: route.Match{Silent: true}, Target: "smtp"},
	)
	const open, deadline, closed = route.Open, route.Deadline, route.Closed
	remote, local := "192.0.2.1:1", "127.0.0.1:1"
	full := strings.Repeat("9", 64<<10)
	for _, test := range []struct {
		bytes   string
		end     route.End
		peer    string
		verdict route.Verdict
		name    string
		why     string
	}{
		{"", open, local, route.Matched, "local", "source=127.0.0.1"},
		{"", open, remote, route.NeedMore, "", ""},
		{"", deadline, remote, route.Matched, "smtp", "silent for 3s"},
		{"", closed, remote, route.Matched, "smtp", "closed without a byte"},
		{"S", open, remote, route.NeedMore, "", ""},
		{"S", deadline, remote, route.NoRoute, "", "no rule after 3s and 1 bytes"},
		{"S", closed, remote, route.NoRoute, "", "no rule, closed after 1 bytes"},
		{"SSH-", open, remote, route.Matched, "ssh", "protocol=ssh"},
		{"MAGI", open, remote, route.NeedMore, "", ""},
		{"MAGIC", open, remote, route.Matched, "magic", `prefix="MAGIC"`}, // may be a method, but no rule before cares
		{hello("a.example")[:50], open, remote, route.NeedMore, "", ""},
		{hello("a.example"), open, remote, route.Matched, "tls", "sni=a.example"},
		{hello("b.example"), open, remote, route.NoRoute, "", "no rule for sni=b.example"},
		{hello("a.example")[:50], deadline, remote, route.Rejected, "tls", "tls head incomplete after 3s and 50 bytes"},
		{hello("a.example")[:50], closed, remote, route.Rejected, "tls", "tls head incomplete, closed after 50 bytes"},
		{hello("a.example")[:4], deadline, remote, route.NoRoute, "", "no rule after 3s and 4 bytes"},
		{get("admin.example", "/"), open, remote, route.Matched, "admin", "host=admin.example"},
		{get("b.example", "/"), open, remote, route.Matched, "web", "protocol=http"},
		{get("b.example", "/", "Host: admin.example"), open, remote, route.Rejected, "admin", "malformed http head: more than one Host"},
		{get("b.example", "/", "Host: admin.example"), open, local, route.Matched, "local", "source=127.0.0.1"},
		{"GET / HTTP/1.1\r\nHost: ", deadline, remote, route.Rejected, "admin", "http head incomplete after 3s and 22 bytes"},
		{"GET / HTTP/1.1\r\n" + full, open, remote, route.Rejected, "admin", "too long http head: head longer than the limit"},
		{"1", open, remote, route.NeedMore, "", ""},
		{"1 a;", open, remote, route.NeedMore, "", ""}, // still a request of method 1
		{"1 a;\n", open, remote, route.Matched, "re", "regexp=[0-9]+ [a-z]+;"},
		{"1 aaaaaaa;\n", open, remote, route.NoRoute, "", "no rule for protocol=other"},
		{full, open, remote, route.NoRoute, "", "no rule for protocol=other"},
		{"\x00", open, remote, route.NoRoute, "", "no rule for protocol=other"},
	} {
		in := route.Input{Bytes: []byte(test.bytes), End: test.end, Waited: 3 * time.Second}
		got := table.Decide(route.Conn{Peer: netip.MustParseAddrPort(test.peer)}, in)
		if got.Verdict != test.verdict || got.Name != test.name || got.Why != test.why {
			t.Errorf("%.40q (end %d): got %+v", test.bytes, test.end, got)
		}
		if (got.Rule < 0) != (got.Name == "") {
			t.Errorf("%.40q: rule %d, name %q", test.bytes, got.Rule, got.Name)
		}
	}
}

// TestHTTP2: a client that speaks HTTP/2 without TLS is none of HTTP/1, however its rules
// stand, and nobody waits for its first request, which it may not send before the server
// has said something.
func TestHTTP2(t *testing.T) {
	const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	settings := preface + "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	names := route.Rule{Name: "names", When: route.Match{Host: []string{"a.example"}, PathPrefix: []string{"/"}}, Target: "names"}
	method := route.Rule{Name: "method", When: route.Match{Method: []string{"PRI"}}, Refuse: route.Reset}
	h2 := route.Rule{Name: "h2", When: route.Match{Protocol: []string{"h2"}}, Target: "h2"}
	for _, test := range []struct {
		bytes   string
		rules   []route.Rule
		verdict route.Verdict
		name    string
	}{
		{preface, []route.Rule{names, method, h2}, route.Matched, "h2"},
		{settings, []route.Rule{names, method, h2}, route.Matched, "h2"},
		{settings, []route.Rule{names, method}, route.NoRoute, ""}, // to the listener's default
		{preface[:20], []route.Rule{names, method, h2}, route.NeedMore, ""},
		{get("a.example", "/"), []route.Rule{h2, names}, route.Matched, "names"},
	} {
		got := compile(t, test.rules...).Decide(route.Conn{}, route.Input{Bytes: []byte(test.bytes)})
		if got.Verdict != test.verdict || got.Name != test.name {
			t.Errorf("%q with %d rules: got %+v", test.bytes, len(test.rules), got)
		}
	}
}

// TestDefault: what a rule without conditions says about clients that ended there.
func TestDefault(t *testing.T) {
	table := compile(t, withRest(route.Match{SNI: []string{"a"}})...)
	for _, test := range []struct {
		bytes string
		end   route.End
		want  string
	}{
		{"", route.Deadline, "silent for 1.5s"},
		{"", route.Closed, "closed without a byte"},
		{"\x16", route.Deadline, "default after 1.5s and 1 bytes"},
		{"\x16", route.Closed, "default, closed after 1 bytes"},
		{"x", route.Open, "default"},
		{hello("b"), route.Open, "default"},
	} {
		got := table.Decide(route.Conn{}, route.Input{Bytes: []byte(test.bytes), End: test.end, Waited: 1500 * time.Millisecond})
		if got.Name != "rest" || got.Why != test.want {
			t.Errorf("%q: got %+v", test.bytes, got)
		}
	}
}

// TestUndecidedConditions: what can't be told counts only if nothing else can still
// make the rule false.
func TestUndecidedConditions(t *testing.T) {
	bad := get("a", "/", "Host: b")
	for _, test := range []struct {
		name  string
		match route.Match
		bytes string
		end   route.End
		want  route.Verdict
	}{
		{"error", route.Match{Host: []string{"a"}}, bad, route.Open, route.Rejected},
		{"error and true", route.Match{Host: []string{"a"}, Prefix: []string{"GET"}}, bad, route.Open, route.Rejected},
		{"error and false", route.Match{Host: []string{"a"}, Prefix: []string{"PUT"}}, bad, route.Open, route.Matched},
		{"error and unknown", route.Match{Host: []string{"a"}, Prefix: []string{bad + "x"}}, bad, route.Open, route.NeedMore},
		{"error and late false", route.Match{Host: []string{"a"}, Prefix: []string{bad + "x"}}, bad, route.Deadline, route.Matched},
		{"error and unknown regexp", route.Match{Host: []string{"a"}, Regexp: `(?s).*zzz`}, bad, route.Open, route.NeedMore},
		{"error in an expression", route.Match{Expr: `host == "a"`}, bad, route.Open, route.Rejected},
		{"error in one of two heads", route.Match{Expr: `host == "a" || sni == "a"`}, bad, route.Open, route.Rejected},
		{"error in a head the expression doesn't use", route.Match{Expr: `sni == "a"`}, bad, route.Open, route.Matched},
		{"error when running", route.Match{Expr: `alpn[1] == "h2"`}, hello("a", "h2"), route.Open, route.Rejected},
	} {
		got := compile(t, withRest(test.match)...).Decide(route.Conn{}, route.Input{Bytes: []byte(test.bytes), End: test.end})
		if got.Verdict != test.want {
			t.Errorf("%s: got %+v", test.name, got)
		}
		if got.Verdict == route.Rejected && (got.Rule != 0 || strings.Contains(got.Why, "\n")) {
			t.Errorf("%s: got %+v", test.name, got)
		}
	}
}

// TestFinal: a decision stays, whatever comes.
func TestFinal(t *testing.T) {
	d := compile(t, withRest(route.Match{SNI: []string{"a"}})...).Begin(route.Conn{})
	first := d.Decide(route.Input{Bytes: []byte("x")})
	if again := d.Decide(route.Input{Bytes: []byte(hello("a")), End: route.Deadline}); again != first || first.Verdict != route.Matched {
		t.Errorf("%+v became %+v", first, again)
	}
}

func TestNoRules(t *testing.T) {
	if got := compile(t).Decide(route.Conn{}, route.Input{}); got.Verdict != route.NoRoute || got.Why != "no rule" {
		t.Errorf("got %+v", got)
	}
}

func TestHead(t *testing.T) {
	d := compile(t, withRest(route.Match{SNI: []string{"b"}})...).Begin(route.Conn{})
	d.Decide(route.Input{Bytes: []byte(hello("a", "h2"))})
	if h := d.Head(); h.SNI != "a" || h.ALPN[0] != "h2" {
		t.Errorf("got %+v", h)
	}
}

func TestLongWhy(t *testing.T) {
	long := "/" + strings.Repeat("é", 200)
	got := compile(t, withRest(route.Match{PathPrefix: []string{"/"}})...).Decide(route.Conn{}, route.Input{Bytes: []byte(get("a", long))})
	if len(got.Why) > 210 || !strings.HasSuffix(got.Why, "é...") {
		t.Errorf("got %q", got.Why)
	}
}
