package head_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/waggle-bpf/waggle/forward/head"
)

func TestRequests(t *testing.T) {
	known := func(method, target, host, path, query string) head.Head {
		return head.Head{Status: head.Known, Protocol: head.HTTP, Method: method, Target: target, Host: host, Path: path, Query: query}
	}
	malformed := func(reason string) head.Head {
		return head.Head{Status: head.Malformed, Protocol: head.HTTP, Reason: reason}
	}
	unknown := head.Head{Status: head.Unknown, Protocol: head.Other}
	more := head.Head{}
	get := func(target string) string { return "GET " + target + " HTTP/1.1\r\nHost: a.example\r\n\r\n" }
	host := func(field string) string { return "GET / HTTP/1.1\r\n" + field + "\r\n\r\n" }
	for _, test := range []struct {
		name, bytes string
		want        head.Head
	}{
		{"plain", get("/"), known("GET", "/", "a.example", "/", "")},
		{"extension method", "M-SEARCH /x HTTP/1.1\r\nHost: a\r\n\r\n", known("M-SEARCH", "/x", "a", "/x", "")},
		{"lower-case method", "get / HTTP/1.1\r\nHost: a\r\n\r\n", known("get", "/", "a", "/", "")},
		{"line feeds only", "GET / HTTP/1.1\nHost: a\n\n", known("GET", "/", "a", "/", "")},
		{"empty lines before", "\r\n\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", known("GET", "/", "a", "/", "")},
		{"HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", known("GET", "/", "", "/", "")},
		{"query", get("/a?b=/../c"), known("GET", "/a?b=/../c", "a.example", "/a", "b=/../c")},

		{"port", host("Host: A.Example:8080"), known("GET", "/", "a.example", "/", "")},
		{"empty port", host("Host: a.example:"), known("GET", "/", "a.example", "/", "")},
		{"dot", host("Host: a.example."), known("GET", "/", "a.example", "/", "")},
		{"dot and port", host("Host: a.example.:80"), known("GET", "/", "a.example", "/", "")},
		{"IPv4", host("hOsT:192.0.2.1:80"), known("GET", "/", "192.0.2.1", "/", "")},
		{"IPv6", host("Host: [2001:DB8::1]:80"), known("GET", "/", "2001:db8::1", "/", "")},
		{"IPv6 without port", host("Host: [::1]"), known("GET", "/", "::1", "/", "")},
		{"empty host", host("Host:"), known("GET", "/", "", "/", "")},
		{"blanks around the value", host("Host: \t a.example\t "), known("GET", "/", "a.example", "/", "")},

		{"absolute form", get("http://A.example:80/x?y"), known("GET", "http://A.example:80/x?y", "a.example", "/x", "y")},
		{"absolute form without path", get("http://a.example"), known("GET", "http://a.example", "a.example", "/", "")},
		{"absolute form with query only", get("http://a.example?x"), known("GET", "http://a.example?x", "a.example", "/", "x")},
		{"absolute form, HTTP/1.0", "GET http://a.example/ HTTP/1.0\r\n\r\n", known("GET", "http://a.example/", "a.example", "/", "")},
		{"CONNECT", "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n", known("CONNECT", "a.example:443", "a.example", "", "")},
		{"OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", known("OPTIONS", "*", "a", "", "")},

		{"encoded path", get("/%61%2Fb%3f"), known("GET", "/%61%2Fb%3f", "a.example", "/a/b?", "")},
		{"dot segments", get("/a/./b/../c/.."), known("GET", "/a/./b/../c/..", "a.example", "/a/", "")},
		{"encoded dot segments", get("/a/%2e%2E/b"), known("GET", "/a/%2e%2E/b", "a.example", "/b", "")},
		{"double slashes", get("//a///b/"), known("GET", "//a///b/", "a.example", "/a/b/", "")},
		{"dot file", get("/.well-known/x"), known("GET", "/.well-known/x", "a.example", "/.well-known/x", "")},
		{"three dots", get("/.../x"), known("GET", "/.../x", "a.example", "/.../x", "")},
		{"encoded once", get("/%2561"), known("GET", "/%2561", "a.example", "/%61", "")},
		{"UTF-8 path", get("/\xc3\xa9"), known("GET", "/\xc3\xa9", "a.example", "/\xc3\xa9", "")},

		{"Host twice", host("Host: a\r\nHost: a"), malformed("more than one Host")},
		{"Host twice in other case", host("Host: a\r\nX: y\r\nhOST: b"), malformed("more than one Host")},
		{"no Host", "GET / HTTP/1.1\r\n\r\n", malformed("no Host")},
		{"list of hosts", host("Host: a, b"), malformed("bad Host")},
		{"user in Host", host("Host: u@a"), malformed("bad Host")},
		{"path in Host", host("Host: a/b"), malformed("bad Host")},
		{"8 bits in Host", host("Host: \xc3\xa9.example"), malformed("bad Host")},
		{"port in words", host("Host: a:http"), malformed("bad Host")},
		{"IPv6 without brackets", host("Host: ::1"), malformed("bad Host")},
		{"zone", host("Host: [fe80::1%25eth0]"), malformed("bad Host")},
		{"Host against target", get("http://b.example/"), malformed("Host differs from the request target")},
		{"user in the target", get("http://a.example@b.example/"), malformed("bad host in the request target")},
		{"no host in the target", get("http:///x"), malformed("bad host in the request target")},
		{"no scheme", get("a.example/x"), malformed("bad request target")},
		{"bad scheme", get("1://a.example/x"), malformed("bad request target")},
		{"fragment", get("/a#b"), malformed("fragment in the request target")},
		{"CONNECT without port", "CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", malformed("CONNECT without host and port")},
		{"GET *", get("*"), malformed("target * of another method than OPTIONS")},
		{"above the root", get("/a/../../b"), malformed("bad path")},
		{"encoded above the root", get("/%2e%2e/b"), malformed("bad path")},
		{"bad escape", get("/%6"), malformed("bad path")},
		{"bad escape digit", get("/%g0"), malformed("bad path")},
		{"encoded NUL", get("/a%00"), malformed("bad path")},

		{"two blanks", get(" /"), malformed("blanks in the request line")},
		{"blank in the target", get("/a b"), malformed("blanks in the request line")},
		{"tab", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", malformed("blanks in the request line")},
		{"blank at the end", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", malformed("blanks in the request line")},
		{"CR in the request line", "GET /\rx HTTP/1.1\r\nHost: a\r\n\r\n", malformed("blanks in the request line")},
		{"no target", "GET HTTP/1.1\r\nHost: a\r\n\r\n", malformed("blanks in the request line")},
		{"lower-case version", "GET / http/1.1\r\nHost: a\r\n\r\n", malformed("bad HTTP version")},
		{"long version", "GET / HTTP/1.10\r\nHost: a\r\n\r\n", malformed("bad HTTP version")},
		{"version 2", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", malformed("HTTP version other than 1 in a text head")},
		{"broken preface", "PRI * HTTP/2.0\r\n\r\nSN\r\n\r\n", malformed("HTTP version other than 1 in a text head")},

		{"folded field", host("Host: a\r\n b"), malformed("folded header field")},
		{"folded with a tab", host("Host: a\r\nX: y\r\n\tz"), malformed("folded header field")},
		{"blank before the first field", host(" Host: a"), malformed("folded header field")},
		{"blank before the colon", host("Host : a"), malformed("header line without a proper name")},
		{"no colon", host("Host: a\r\nfoo"), malformed("header line without a proper name")},
		{"no name", host("Host: a\r\n: b"), malformed("header line without a proper name")},
		{"CR in a value", host("Host: a\rHost: b"), malformed("control character in a header field")},
		{"NUL in a value", host("Host: a\r\nX: \x00"), malformed("control character in a header field")},

		{"HTTP/0.9", "GET /\r\n", unknown},
		{"SMTP", "EHLO mail.example\r\n", unknown},
		{"Redis", "*1\r\n$4\r\nPING\r\n", unknown},
		{"RTSP", "OPTIONS rtsp://a/b RTSP/1.0\r\n\r\n", unknown},
		{"SIP", "INVITE sip:b@c SIP/2.0\r\n\r\n", unknown},
		{"NUL in the target", "GET /\x00 HTTP/1.1\r\n", unknown},
		{"long word", strings.Repeat("A", 33), unknown},
		{"binary", "\x00\x01", unknown},
		{"8 bits in the method", "G\xc9T / HTTP/1.1\r\n", unknown},

		{"nothing", "", more},
		{"only empty lines", "\r\n\r\n", more},
		{"word", "HELO", more},
		{"line", "GET / HTTP/1.1", more},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := parse(t, []byte(test.bytes))
			if diff := cmp.Diff(&test.want, h, cmpopts.IgnoreUnexported(head.Head{}), cmpopts.IgnoreFields(head.Head{}, "Fields", "Size")); diff != "" {
				t.Error(diff)
			}
			if h.Status == head.Known && h.Size != len(test.bytes) {
				t.Errorf("size %d of %d", h.Size, len(test.bytes))
			}
			compareRequest(t, []byte(test.bytes))
		})
	}
}

func TestFields(t *testing.T) {
	h := parse(t, []byte("POST / HTTP/1.1\r\nHost: a\r\nx-Empty:\r\nX-Two: 1\r\nX-TWO:  2 3\t\r\nX-8bit: \xe9\r\n\r\nbody"))
	want := []head.Field{{"Host", "a"}, {"x-Empty", ""}, {"X-Two", "1"}, {"X-TWO", "2 3"}, {"X-8bit", "\xe9"}}
	if diff := cmp.Diff(want, h.Fields); diff != "" {
		t.Error(diff)
	}
	if v, ok := h.Field("x-two"); v != "1" || !ok {
		t.Errorf("x-two: %q, %t", v, ok)
	}
	if v, ok := h.Field("x-empty"); v != "" || !ok {
		t.Errorf("x-empty: %q, %t", v, ok)
	}
	if _, ok := h.Field("x-none"); ok {
		t.Error("there is no x-none")
	}
}

// TestPipelined: what counts is the first request; the others go where it goes.
func TestPipelined(t *testing.T) {
	first := "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"
	h := parse(t, []byte(first+"abcGET / HTTP/1.1\r\nHost: b\r\nHost: c\r\n\r\n"))
	if h.Status != head.Known || h.Host != "a" || h.Size != len(first) {
		t.Errorf("got %+v", h)
	}
}

func TestLimits(t *testing.T) {
	fields := func(n int) []byte {
		return []byte("GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: y\r\n", n-1) + "\r\n")
	}
	if h := parse(t, fields(256)); h.Status != head.Known || len(h.Fields) != 256 {
		t.Errorf("256 fields: %s", h.Status)
	}
	if h := parse(t, fields(257)); h.Status != head.TooLong || h.Reason != "more than 256 header fields" {
		t.Errorf("257 fields: %s", h.Status)
	}
	long := []byte("GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("y", 1000) + "\r\n\r\n")
	for _, test := range []struct {
		limit int
		bytes []byte
		want  head.Status
	}{
		{len(long), long, head.Known},
		{len(long) - 1, long, head.TooLong},
		{20, []byte("GET /" + strings.Repeat("x", 50)), head.Unknown},
		{20, []byte("GET /xxxxxxxxxxxxxxxxxx HTTP/1.1\r\n"), head.Unknown},
		{20, []byte("SSH-2.0-x" + strings.Repeat("x", 50)), head.TooLong},
	} {
		for _, step := range []int{1, len(test.bytes)} {
			p := head.Parser{Max: test.limit}
			for n := step; n <= len(test.bytes); n += step {
				p.Parse(test.bytes[:n])
			}
			if got := p.Head().Status; got != test.want {
				t.Errorf("%q with %d bytes, in steps of %d: %s", test.bytes, test.limit, step, got)
			}
		}
	}
}

// stricterHTTP is why this package refuses requests that net/http takes.
var stricterHTTP = []string{
	"bad Host", "no Host", "more than one Host", "Host differs from the request target", // checked later there, or not at all
	"folded header field", "bad path", "fragment in the request target", "bad host in the request target",
	"CONNECT without host and port", "target * of another method than OPTIONS",
	"HTTP version other than 1 in a text head", "bad request target", "more than 256 header fields",
	"blanks in the request line", // net/http puts up with a bare CR
	"control character in a header field",
	"header line without a proper name", // and with blanks in names
}

// compareRequest compares with net/http, which is laxer.
func compareRequest(t *testing.T, b []byte) {
	t.Helper()
	var p head.Parser
	p.Parse(b)
	h := p.Head()
	// net/http doesn't skip empty lines.
	trimmed := bytes.TrimLeft(b, "\r\n")
	rest := bufio.NewReader(bytes.NewReader(trimmed))
	request, err := http.ReadRequest(rest)
	switch {
	case h.Protocol == head.HTTP && h.Status == head.Known && err != nil:
		t.Errorf("net/http: %v\n%q", err, b)
	case h.Protocol == head.HTTP && h.Status == head.Known:
		compareKnown(t, b, h, request)
		if left, _ := io.Copy(io.Discard, rest); request.ContentLength == 0 && len(request.TransferEncoding) == 0 && int(left) != len(b)-h.Size {
			t.Errorf("net/http left %d bytes, not %d\n%q", left, len(b)-h.Size, b)
		}
	case err == nil && h.Status == head.Unknown && len(request.Method) <= 32:
		t.Errorf("net/http takes what is unknown here\n%q", b)
	case err == nil && h.Status == head.More && request.Method != "PRI": // which waits for the rest of HTTP/2's preface
		t.Errorf("net/http has enough\n%q", b)
	case err == nil && h.Status == head.Malformed && !slices.Contains(stricterHTTP, h.Reason):
		t.Errorf("net/http takes what is malformed here: %s\n%q", h.Reason, b)
	}
}

func compareKnown(t *testing.T, b []byte, h *head.Head, r *http.Request) {
	t.Helper()
	type request struct{ Method, Target, Host, Path, Query string }
	host := r.Host
	if name, port, ok := strings.Cut(host, "]"); ok {
		host = name + "]"
		_ = port
	} else {
		host, _, _ = strings.Cut(host, ":")
	}
	normal, _ := head.Name(host)
	path := ""
	if h.Method != "CONNECT" && h.Target != "*" {
		path, _ = head.Path("/" + strings.ReplaceAll(strings.TrimPrefix(r.URL.Path, "/"), "%", "%25"))
	}
	want := request{r.Method, r.RequestURI, normal, path, r.URL.RawQuery}
	if diff := cmp.Diff(want, request{h.Method, h.Target, h.Host, h.Path, h.Query}); diff != "" {
		t.Errorf("%q: %s", b, diff)
	}
	fields := make(http.Header)
	for _, f := range h.Fields {
		fields.Add(f.Name, f.Value)
	}
	for _, name := range []string{"Host", "Transfer-Encoding", "Content-Length", "Trailer", "Pragma", "Cache-Control"} {
		fields.Del(name) // net/http takes these out, or adds them
		r.Header.Del(name)
	}
	if diff := cmp.Diff(r.Header, fields, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%q: %s", b, diff)
	}
}

func FuzzRequest(f *testing.F) {
	for _, s := range []string{
		"GET / HTTP/1.1\r\nHost: a.example:80\r\nX: y\r\n\r\n",
		"\r\nPOST /%61/../b?c HTTP/1.1\nhost:[::1]\n\nGET / HTTP/1.1\n\n",
		"GET http://a.example/x HTTP/1.1\r\nHost: a.example\r\nHost: b\r\n\r\n",
		"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n",
		"OPTIONS * HTTP/1.0\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		"EHLO a\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		compareRequest(t, b)
		compareSplits(t, b)
	})
}
