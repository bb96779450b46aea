package route_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/expr-lang/expr"

	"github.com/waggle-bpf/waggle/forward/route"
)

// conditions are parts that tables of the property tests are made of.
var conditions = []func(*route.Match){
	func(m *route.Match) { m.SNI = []string{"a.example", "*.b.example"} },
	func(m *route.Match) { m.SNI = []string{"a.example"} },
	func(m *route.Match) { m.Host = []string{"a.example", "x.example"} },
	func(m *route.Match) { m.ALPN = []string{"h2"} },
	func(m *route.Match) { m.Host = []string{"**.example"} },
	func(m *route.Match) { m.Method = []string{"GET"} },
	func(m *route.Match) { m.PathPrefix = []string{"/a"} },
	func(m *route.Match) { m.Headers = []route.Header{{Name: "X-A"}} },
	func(m *route.Match) { m.SSH = []string{"SSH-2.0-O"} },
	func(m *route.Match) { m.Protocol = []string{"ssh", "tls"} },
	func(m *route.Match) { m.Protocol = []string{"other", "http", "h2"} },
	func(m *route.Match) { m.Prefix = []string{"GET /a", "\x16\x03\x01\x00", "TOKEN"} },
	func(m *route.Match) { m.Regexp, m.Window = `[A-Z]+ .*a\b`, 40 },
	func(m *route.Match) { m.Regexp, m.Window = `\x16\x03.*example`, 0 },
	func(m *route.Match) { m.Expr = `sni == "a.example" || host == "a.example" || ssh contains "Open"` },
	func(m *route.Match) { m.Expr, m.Window = `bytes contains "a" && protocol != "tls"`, 12 },
	func(m *route.Match) { m.Expr = `alpn[0] == "h2"` },
	func(m *route.Match) { m.Port = []uint16{80} },
	func(m *route.Match) { m.Source = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} },
	func(m *route.Match) { m.Token = &route.Token{In: route.InLine, Keys: route.Keys{key}} },
	func(m *route.Match) { m.Token = &route.Token{In: route.InSNI, Keys: route.Keys{key}} },
	func(m *route.Match) { m.Silent = true },
}

// randomTable makes a table of one or two conditions in each rule.
func randomTable(rnd *rand.Rand) ([]route.Rule, *route.Table) {
	for {
		var rules []route.Rule
		for i := range 1 + rnd.IntN(6) {
			r := route.Rule{Name: fmt.Sprint(i), Target: "t"}
			for range 1 + rnd.IntN(2) {
				conditions[rnd.IntN(len(conditions))](&r.When)
			}
			rules = append(rules, r)
		}
		if table, err := route.Compile(rules, route.Options{Max: tableMax}); err == nil {
			return rules, table
		}
	}
}

// tableMax is how many bytes a random table looks at.
const tableMax = 400

// compareSplits decides about b with a random table, in random segments, and checks
// that nothing but the bytes mattered.
func compareSplits(t *testing.T, seed uint64, b []byte) {
	t.Helper()
	rnd := rand.New(rand.NewPCG(seed, 0))
	rules, table := randomTable(rnd)
	conn := route.Conn{Peer: netip.MustParseAddrPort("10.0.0.1:1"), Local: netip.MustParseAddrPort("10.0.0.2:80")}
	if rnd.IntN(2) == 0 {
		conn.Peer = netip.MustParseAddrPort("192.0.2.1:1")
	}
	want := table.Decide(conn, route.Input{Bytes: b, Now: noon})
	if len(b) >= tableMax && want.Verdict == route.NeedMore {
		t.Fatalf("undecided with %d bytes", len(b))
	}
	if first := firstOf(t, rules, conn, b); first != want.Rule && want.Verdict != route.NeedMore {
		t.Fatalf("seed %d, %q: %+v, but the first rule not to be passed over is %d", seed, b, want, first)
	}
	for range 4 {
		d := table.Begin(conn)
		got, n := d.Decide(route.Input{}), 0
		for n < len(b) && got.Verdict == route.NeedMore {
			n += min(1+rnd.IntN(1+rnd.IntN(40)), len(b)-n)
			got = d.Decide(route.Input{Bytes: bytes.Clone(b[:n]), Now: noon})
		}
		if got.Verdict == route.NoRoute && want.Verdict == route.NoRoute {
			got.Why = want.Why // tells what had been found out by then
		}
		if got != want {
			t.Fatalf("seed %d, %q: %+v after %d bytes, %+v at once", seed, b, got, n, want)
		}
	}
	for _, end := range []route.End{route.Deadline, route.Closed} {
		got := table.Decide(conn, route.Input{Bytes: b, End: end, Waited: time.Second, Now: noon})
		switch {
		case got.Verdict == route.NeedMore:
			t.Fatalf("seed %d, %q: undecided at the end", seed, b)
		case want.Verdict != route.NeedMore && (got.Verdict != want.Verdict || got.Rule != want.Rule):
			t.Fatalf("seed %d, %q: %+v at the end, %+v before", seed, b, got, want)
		}
	}
}

// TestConcurrent: a table belongs to all connections. The race detector has to see it.
func TestConcurrent(t *testing.T) {
	table := compile(t,
		to(route.Match{Expr: `sni == "a.example" && "h2" in alpn`}),
		to(route.Match{Regexp: `\x00.*\x01`}),
		route.Rule{Name: "token", When: route.Match{Token: &route.Token{In: route.InLine, Keys: route.Keys{key}}}, Target: "t"})
	token := "TOKEN " + mint(t, key, "", noon.Add(time.Hour)) + "\n"
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				for b, want := range map[string]string{hello("a.example", "h2"): "r", hello("b.example"): "", "\x00ab\x01": "r", token: "token"} {
					if got := table.Decide(route.Conn{}, route.Input{Bytes: []byte(b), Now: noon}); got.Name != want {
						t.Errorf("%q: got %+v", b, got)
					}
				}
			}
		})
	}
	wg.Wait()
}

// firstOf is the first rule that is not false, -1 for none. It takes each for itself.
func firstOf(t *testing.T, rules []route.Rule, conn route.Conn, b []byte) int {
	t.Helper()
	for i := range rules {
		table, err := route.Compile(rules[i:i+1], route.Options{Max: tableMax})
		if err != nil {
			t.Fatal(err)
		}
		if table.Decide(conn, route.Input{Bytes: b, Now: noon}).Verdict != route.NoRoute {
			return i
		}
	}
	return -1
}

// TestManyNames compares a long table, which is looked up, with its rules one by one.
func TestManyNames(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	name := func() string { return fmt.Sprintf("host%d.example", rnd.IntN(60)) }
	for range 20 {
		var rules []route.Rule
		for i := range 50 {
			m := route.Match{}
			switch rnd.IntN(10) {
			case 0:
				m.Port = []uint16{uint16(80 + rnd.IntN(20))}
			case 1:
				m.SNI = []string{name(), "*." + name()}
			case 2, 3, 4, 5:
				m.SNI = []string{name(), name()}
			default:
				m.Host = []string{name()}
			}
			if rnd.IntN(5) == 0 {
				m.Source = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
			}
			rules = append(rules, route.Rule{Name: fmt.Sprint(i), When: m, Target: "t"})
		}
		table := compile(t, rules...)
		for range 40 {
			conn := route.Conn{Peer: netip.MustParseAddrPort("192.0.2.1:1"), Local: netip.MustParseAddrPort("192.0.2.2:100")}
			b := []byte([]string{hello(name()), get(name(), "/"), "\x00", hello("x." + name()), get("a", "/", "Host: b")}[rnd.IntN(5)])
			if got, want := table.Decide(conn, route.Input{Bytes: b}), firstOf(t, rules, conn, b); got.Rule != want {
				t.Fatalf("%q: got %+v, want rule %d", b, got, want)
			}
		}
	}
}

var samples = []string{
	"", "\x00", "\x16", "GET", "S", "EHLO a\r\n", "TOKEN x\n", "\r\n\r\n",
	"SSH-2.0-OpenSSH_10.0\r\nmore", "SSH-x\r\n",
	"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00",
	get("a.example", "/a"), get("x.example", "/b/../a/c", "X-A: 1"), get("a", "/", "Host: b"),
	hello("a.example", "h2"), hello("x.b.example"), hello("", "h2"), hello("a..b"),
	hello("a.example")[:30], "GET /a HTTP/1.1\r\nHost: a.exam",
	"GET / HTTP/1.1\r\nX: " + string(bytes.Repeat([]byte("x"), 500)),
	string(bytes.Repeat([]byte("a"), 500)),
}

func TestSplits(t *testing.T) {
	token, err := route.Mint(key, "", noon.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	all := append(samples, "TOKEN "+token+"\r\nSSH-2.0-x\r\n", hello(token+".example"))
	for seed := range uint64(100) {
		for _, s := range all {
			compareSplits(t, seed, []byte(s))
		}
	}
}

func FuzzSplits(f *testing.F) {
	for i, s := range samples {
		f.Add(uint64(i), []byte(s))
	}
	f.Fuzz(func(t *testing.T, seed uint64, b []byte) { compareSplits(t, seed, b) })
}

// FuzzExpr compares with the library's own way of running an expression, on an
// environment made here.
func FuzzExpr(f *testing.F) {
	for _, s := range []string{
		`sni == "a.example"`, `"h2" in alpn`, `any(alpn, # startsWith "h")`, `alpn[1] == "x"`, `headers["X"] == ""`,
		`sni matches "^a\\." && port in 1..1000`, `cidr(source, "10.0.0.0/8") ? wildcard(sni, "*.example") : false`, `len(sni) > 3 and not (method == "GET")`,
		`let x = split(sni, "."); x[0] == "a"`, `protocol == "tls"`,
	} {
		f.Add(s)
	}
	cidr := func(a, p string) (bool, error) {
		prefix, err := netip.ParsePrefix(p)
		addr, _ := netip.ParseAddr(a)
		return err == nil && prefix.Contains(addr), err
	}
	wildcard := func(name, pattern string) (bool, error) {
		_, err := route.Compile([]route.Rule{to(route.Match{SNI: []string{pattern}})}, route.Options{})
		return pattern == "*" || pattern == name || pattern == "*.example" && name == "a.example" || pattern == "**.example" && name == "a.example", err
	}
	environment := map[string]any{
		"sni": "a.example", "alpn": []string{"h2"}, "host": "", "path": "", "method": "", "headers": map[string]string{}, "ssh": "",
		"protocol": "tls", "source": "10.0.0.1", "port": 443, "bytes": "", "cidr": cidr, "wildcard": wildcard,
	}
	conn := route.Conn{Peer: netip.MustParseAddrPort("10.0.0.1:1"), Local: netip.MustParseAddrPort("10.0.0.2:443")}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 200 || text == "" {
			return
		}
		table, err := route.Compile([]route.Rule{to(route.Match{Expr: text})}, route.Options{})
		if err != nil {
			return
		}
		got := table.Decide(conn, route.Input{Bytes: []byte(hello("a.example", "h2"))})
		result, err := expr.Eval(text, environment)
		want := route.NoRoute
		if err != nil {
			want = route.Rejected
		} else if result.(bool) {
			want = route.Matched
		}
		if got.Verdict != want {
			t.Errorf("%q: got %+v, the library %v, %v", text, got, result, err)
		}
	})
}

func BenchmarkDecide(b *testing.B) {
	rules := []route.Rule{
		to(route.Match{Source: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}),
		to(route.Match{Protocol: []string{"ssh"}}),
		to(route.Match{SNI: []string{"a.example", "*.b.example"}}),
		to(route.Match{Host: []string{"a.example"}, PathPrefix: []string{"/api"}}),
		to(route.Match{Prefix: []string{"\x00\x00\x00\x08"}}),
	}
	var many []route.Rule
	for i := range 1000 {
		many = append(many, to(route.Match{SNI: []string{fmt.Sprintf("host%d.example", i)}}))
	}
	for _, c := range []struct {
		name  string
		rules []route.Rule
		bytes string
	}{
		{"tls", rules, hello("x.b.example", "h2")},
		{"http", rules, get("a.example", "/api/x", "User-Agent: curl/8.0", "Accept: */*")},
		{"ssh", rules, "SSH-2.0-OpenSSH_10.0\r\n"},
		{"prefix", rules, "\x00\x00\x00\x08\x04\xd2\x16\x2f"},
		{"last_of_1000", many, hello("host999.example")},
		{"regexp", []route.Rule{to(route.Match{Regexp: `[a-z]+ [0-9]+\r\n`})}, "hello 12345\r\n"},
		{"expr", []route.Rule{to(route.Match{Expr: `sni endsWith ".example" && "h2" in alpn`})}, hello("a.example", "h2")},
		{"token", []route.Rule{to(route.Match{Token: &route.Token{In: route.InLine, Keys: route.Keys{key}}})}, "TOKEN " + mint(b, key, "", time.Now().Add(time.Hour)) + "\r\n"},
	} {
		b.Run(c.name, func(b *testing.B) {
			table, data := compile(b, c.rules...), []byte(c.bytes)
			conn := route.Conn{Peer: netip.MustParseAddrPort("192.0.2.1:1"), Local: netip.MustParseAddrPort("192.0.2.2:443")}
			b.ReportAllocs()
			for b.Loop() {
				if d := table.Decide(conn, route.Input{Bytes: data}); d.Verdict != route.Matched {
					b.Fatalf("%+v", d)
				}
			}
		})
	}
}
