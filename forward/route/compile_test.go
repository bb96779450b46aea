package route_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/waggle-bpf/waggle/forward/route"
)

func to(m route.Match) route.Rule { return route.Rule{Name: "r", When: m, Target: "a"} }

func TestCompileErrors(t *testing.T) {
	type match = route.Match
	key := make([]byte, 16)
	for _, test := range []struct {
		name  string
		rules []route.Rule
		want  []string
	}{
		{"fine", []route.Rule{to(match{SNI: []string{"a.example"}}), to(match{})}, nil},
		{"no action", []route.Rule{{}}, []string{"rule 1: neither a target nor a refusal"}},
		{"two actions", []route.Rule{{Target: "a", Refuse: route.Reset}}, []string{"rule 1: both a target and a refusal"}},
		{"unknown group", []route.Rule{{Target: "c"}}, []string{`rule 1, Target: no group is called "c"`}},
		{"unknown refusal", []route.Rule{{Refuse: "drop"}}, []string{`rule 1, Refuse: "drop" is neither "reset" nor "close"`}},
		{"never reached", []route.Rule{to(match{}), to(match{}), to(match{Silent: true})}, []string{
			"rule 2: never reached: rule 1 matches every connection; put it last",
			"rule 3: never reached: rule 1 matches every connection; put it last",
		}},

		{"names", []route.Rule{to(match{SNI: []string{"a.example", "*.a", "**.a", "*", "192.0.2.1", "a b", "*.192.0.2.1", "a*.example", "é.example", "a.example:443", ""}})}, []string{
			`rule 1, SNI 6: "a b": not a host name; wildcards are *, *.example.org and **.example.org`,
			`rule 1, SNI 7: "*.192.0.2.1": not a host name; wildcards are *, *.example.org and **.example.org`,
			`rule 1, SNI 8: "a*.example": not a host name; wildcards are *, *.example.org and **.example.org`,
			`rule 1, SNI 9: "é.example": not a host name; write it in its ASCII form, which begins with xn--`,
			`rule 1, SNI 10: "a.example:443": not a host name; leave the port away`,
			`rule 1, SNI 11: "": not a host name; wildcards are *, *.example.org and **.example.org`,
		}},
		{"two protocols", []route.Rule{to(match{SNI: []string{"a"}, Host: []string{"a"}})}, []string{"rule 1, Host: excludes another condition of the rule: a connection has one protocol; make two rules"}},
		{"three protocols", []route.Rule{to(match{SNI: []string{"a"}, Host: []string{"a"}, SSH: []string{"SSH-"}})}, []string{"rule 1, Host: excludes another condition of the rule: a connection has one protocol; make two rules"}},
		{"protocol against name", []route.Rule{to(match{Protocol: []string{"ssh", "http"}, ALPN: []string{"h2"}})}, []string{"rule 1, ALPN: excludes another condition of the rule: a connection has one protocol; make two rules"}},
		{"protocols", []route.Rule{to(match{Protocol: []string{"tls", "smtp"}})}, []string{`rule 1, Protocol 2: "smtp" is none of tls, http, h2, ssh and other`}},
		{"empty texts", []route.Rule{to(match{ALPN: []string{""}}), to(match{Prefix: []string{"a", ""}})}, []string{"rule 1, ALPN 1: empty", "rule 2, Prefix 2: empty"}},
		{"long prefix", []route.Rule{to(match{Prefix: []string{strings.Repeat("x", 4097)}})}, []string{"rule 1, Prefix 1: longer than 4096, the bytes that are looked at"}},
		{"methods", []route.Rule{to(match{Method: []string{"get", "PUT"}})}, []string{`rule 1, Method 1: "get": methods are in upper case`}},
		{"paths", []route.Rule{to(match{Path: []string{"/a", "b", "/a/../b"}, PathPrefix: []string{"/%61", "/.."}})}, []string{
			`rule 1, Path 2: "b": a path begins with / and doesn't climb above it`,
			`rule 1, Path 3: "/a/../b" never matches: paths are compared in their normal form, "/b"`,
			`rule 1, PathPrefix 1: "/%61" never matches: paths are compared in their normal form, "/a"`,
			`rule 1, PathPrefix 2: "/..": a path begins with / and doesn't climb above it`,
		}},
		{"headers", []route.Rule{to(match{Headers: []route.Header{{Name: "X-A"}, {Name: "X A"}, {}}})}, []string{
			`rule 1, Headers 2: "X A": not the name of a header field`, `rule 1, Headers 3: "": not the name of a header field`,
		}},
		{"banners", []route.Rule{to(match{SSH: []string{"SSH-2.0-x", "OpenSSH", ""}})}, []string{`rule 1, SSH 2: banners begin with "SSH-"`, `rule 1, SSH 3: banners begin with "SSH-"`}},
		{"networks", []route.Rule{to(match{Source: []netip.Prefix{netip.MustParsePrefix("::ffff:10.0.0.0/104"), {}}})}, []string{"rule 1, Source 2: not a network"}},
		{"ports", []route.Rule{to(match{Port: []uint16{80, 0}})}, []string{"rule 1, Port 2: no port is 0"}},
		{"silent with more", []route.Rule{to(match{Silent: true, Prefix: []string{"x"}})}, []string{"rule 1, Silent: together with conditions on what the client sends: no connection fulfils both"}},
		{"silent and a port", []route.Rule{to(match{Silent: true, Port: []uint16{25}})}, nil},

		{"regexp", []route.Rule{to(match{Regexp: "a(b"})}, []string{"rule 1, Regexp: error parsing regexp: missing closing ): `a(b`"}},
		{"regexp of nothing", []route.Rule{to(match{Regexp: "a*"})}, []string{"rule 1, Regexp: matches without a single byte, so it always holds"}},
		{"regexp not ASCII", []route.Rule{to(match{Regexp: "é"})}, []string{`rule 1, Regexp: not ASCII; a character is a byte here: write \xc3\xa9 for the two of an e with an acute accent`}},
		{"large regexp", []route.Rule{to(match{Regexp: "xa{1000}b{1000}", Window: 4096})}, []string{"rule 1, Regexp: too large: 2003 states for a window of 4096 bytes; at most 4194304 for both multiplied"}},
		{"window without use", []route.Rule{to(match{Window: 10})}, []string{"rule 1, Window: without Regexp or Expr, which it is for"}},
		{"window too large", []route.Rule{to(match{Regexp: "x", Window: 5000})}, []string{"rule 1, Window: 5000 is not between 1 and 4096, the bytes that are looked at"}},
		{"negative window", []route.Rule{to(match{Regexp: "x", Window: -1})}, []string{"rule 1, Window: -1 is not between 1 and 4096, the bytes that are looked at"}},

		{"expression", []route.Rule{to(match{Expr: `sni == 1`})}, []string{`rule 1, Expr: 1:5: invalid operation: == (mismatched types string and int)`}},
		{"expression's name", []route.Rule{to(match{Expr: "port == 80 &&\n  snl == ''"})}, []string{`rule 1, Expr: 2:3: unknown name snl`}},
		{"name in a call", []route.Rule{to(match{Expr: `cidr(e, "10.0.0.0/8")`})}, []string{`rule 1, Expr: 1:6: unknown name e`}},
		{"expression's type", []route.Rule{to(match{Expr: `sni`})}, []string{`rule 1, Expr: expected bool, but got string`}},
		{"expression's environment", []route.Rule{to(match{Expr: `$env["sni"] == "a"`})}, []string{`rule 1, Expr: $env: name the variables instead`}},
		{"expression's clock", []route.Rule{to(match{Expr: `now().Hour() > 1`})}, []string{`rule 1, Expr: 1:1: unknown name now`}},
		{"expression's network", []route.Rule{to(match{Expr: `cidr(source, "10.0.0.0")`})}, []string{`rule 1, Expr: cidr: netip.ParsePrefix("10.0.0.0"): no '/'`}},
		{"expression's pattern", []route.Rule{to(match{Expr: `wildcard(sni, "a.*")`})}, []string{`rule 1, Expr: wildcard: "a.*": not a host name; wildcards are *, *.example.org and **.example.org`}},
		{"expression's window", []route.Rule{to(match{Expr: `bytes == "a"`})}, []string{"rule 1, Window: needed: how many bytes does the expression have to wait for?"}},
		{"expression without bytes", []route.Rule{to(match{Expr: `sni == "a"`, Window: 5})}, []string{"rule 1, Window: for an expression that doesn't use bytes"}},
		{"long expression", []route.Rule{to(match{Expr: "port == 1" + strings.Repeat(" || port == 1", 1000)})}, []string{"rule 1, Expr: 1:6511: compilation failed: expression exceeds maximum allowed nodes"}},

		{"token", []route.Rule{to(match{Token: &route.Token{In: route.InSNI, Keys: route.Keys{key}}})}, nil},
		{"token in two protocols", []route.Rule{to(match{Token: &route.Token{In: route.InSNI, Keys: route.Keys{key}}, Host: []string{"a"}})}, []string{"rule 1, Token: excludes another condition of the rule: a connection has one protocol; make two rules"}},
		{"token without anything", []route.Rule{to(match{Token: &route.Token{}})}, []string{`rule 1, Token.In: "" is none of header, line and sni`, "rule 1, Token.Keys: none"}},
		{"token's header", []route.Rule{to(match{Token: &route.Token{In: route.InHeader, Keys: route.Keys{key}}})}, []string{`rule 1, Token.Header: "": not the name of a header field`}},
		{"token's superfluous header", []route.Rule{to(match{Token: &route.Token{In: route.InLine, Header: "X", Keys: route.Keys{key}}})}, []string{"rule 1, Token.Header: for a token that is elsewhere"}},
		{"token's scope", []route.Rule{to(match{Token: &route.Token{In: route.InLine, Scope: "a\x00b", Keys: route.Keys{key}}})}, []string{"rule 1, Token.Scope: has a zero byte"}},
		{"token's keys", []route.Rule{to(match{Token: &route.Token{In: route.InLine, Keys: route.Keys{key, key[1:]}}})}, []string{"rule 1, Token.Keys 2: key of 15 bytes; at least 16"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			table, err := route.Compile(test.rules, route.Options{Max: 4096, Targets: []string{"a", "b"}})
			got := ""
			if err != nil {
				got = err.Error()
			}
			if want := strings.Join(test.want, "\n"); got != want || (table == nil) != (err != nil) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestErrorValues(t *testing.T) {
	_, err := route.Compile([]route.Rule{to(route.Match{Expr: "port ==\n snl"}), to(route.Match{Port: []uint16{1, 0}})}, route.Options{})
	var all route.Errors
	if !errors.As(err, &all) || len(all) != 2 {
		t.Fatalf("got %v", err)
	}
	if e := all[1]; e.Rule != 1 || e.Field != "Port" || e.Index != 1 {
		t.Errorf("got %+v", e)
	}
	var where *route.ExprError
	if !errors.As(err, &where) || where.Line != 2 || where.Column != 2 {
		t.Errorf("got %+v", where)
	}
}

func TestKeysAreSecret(t *testing.T) {
	rule := to(route.Match{Token: &route.Token{Keys: route.Keys{[]byte("swordfish swordfish"), []byte("x")}}})
	for _, verb := range []string{"%v", "%+v", "%s", "%q", "%x"} {
		if got := fmt.Sprintf(verb, *rule.When.Token); !strings.Contains(got, "2 keys") || strings.Contains(got, "sword") {
			t.Errorf("%s: %s", verb, got)
		}
	}
}

func compile(t testing.TB, rules ...route.Rule) *route.Table {
	t.Helper()
	table, err := route.Compile(rules, route.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return table
}
