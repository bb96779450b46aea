package httpstream_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waggle-bpf/waggle/httpwatch/httpstream"
)

// parse feeds the pieces to one parser and returns what it found, one string a
// request; "broken" ends the list if the parser gave up.
func parse(pieces ...string) []string {
	var p httpstream.Parser
	return parseWith(&p, pieces...)
}

func parseWith(p *httpstream.Parser, pieces ...string) (found []string) {
	for _, piece := range pieces {
		b := []byte(piece)
		for len(b) > 0 {
			n, event := p.Next(b)
			b = b[n:]
			switch event {
			case httpstream.Head:
				found = append(found, describe(p.Request()))
			case httpstream.Broken:
				return append(found, "broken")
			}
		}
	}
	return found
}

func describe(r *httpstream.Request) string {
	s := fmt.Sprintf("%s %s 1.%d %s", r.Method, r.Target, r.Minor, r.Host)
	if r.Switches {
		s += " switches"
	}
	return s
}

// vectors are request streams and what they contain. Every vector is fed whole,
// split in two at every point, and byte by byte.
var vectors = []struct {
	name, stream string
	want         []string
}{
	{"one", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", []string{"GET / 1.1 a"}},
	{"bare line feeds", "GET / HTTP/1.1\nHost: a\n\n", []string{"GET / 1.1 a"}},
	{"http/1.0", "GET / HTTP/1.0\r\n\r\n", []string{"GET / 1.0 "}},
	{"no header", "GET / HTTP/1.1\r\n\r\n", []string{"GET / 1.1 "}},
	{"head incomplete", "GET / HTTP/1.1\r\nHost: a\r\n", nil},
	{
		"pipelined",
		"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nHEAD /2 HTTP/1.1\r\nHost: b\r\n\r\nDELETE /3 HTTP/1.1\r\n\r\n",
		[]string{"GET /1 1.1 a", "HEAD /2 1.1 b", "DELETE /3 1.1 "},
	},
	{
		"empty lines between",
		"\r\n\n\r\nGET /1 HTTP/1.1\r\n\r\n\r\nGET /2 HTTP/1.1\r\n\r\n",
		[]string{"GET /1 1.1 ", "GET /2 1.1 "},
	},
	{
		"length", "POST /1 HTTP/1.1\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n",
		[]string{"POST /1 1.1 ", "GET /2 1.1 "},
	},
	{
		"length zero", "POST /1 HTTP/1.1\r\nContent-Length: 0\r\n\r\nGET /2 HTTP/1.1\r\n\r\n",
		[]string{"POST /1 1.1 ", "GET /2 1.1 "},
	},
	{
		"length twice, equal", "POST /1 HTTP/1.1\r\nContent-Length: 2 , 2\r\ncontent-length:2\r\n\r\nabGET /2 HTTP/1.1\r\n\r\n",
		[]string{"POST /1 1.1 ", "GET /2 1.1 "},
	},
	{"length twice, different", "POST /1 HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc", []string{"POST /1 1.1 ", "broken"}},
	{"length with sign", "POST /1 HTTP/1.1\r\nContent-Length: +2\r\n\r\nabc", []string{"POST /1 1.1 ", "broken"}},
	{"length too large", "POST /1 HTTP/1.1\r\nContent-Length: 9223372036854775808\r\n\r\nabc", []string{"POST /1 1.1 ", "broken"}},
	{"length empty", "POST /1 HTTP/1.1\r\nContent-Length:\r\n\r\nabc", []string{"POST /1 1.1 ", "broken"}},
	{
		"expect", "PUT /1 HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabcGET /2 HTTP/1.1\r\n\r\n",
		[]string{"PUT /1 1.1 ", "GET /2 1.1 "},
	},
	{
		"chunked",
		"POST /1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" +
			"4\r\nGET \r\n1a;name=value;x=\"y\"\r\n/not-me HTTP/1.1\r\nHost: x\r\n\r\n0\r\n\r\nGET /2 HTTP/1.1\r\n\r\n",
		[]string{"POST /1 1.1 ", "broken"}, // the second chunk is 25 bytes, not 26
	},
	{
		"chunked with extensions",
		"POST /1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" +
			"4\r\nGET \r\n19 ;name=value;x=\"y\"\r\n/not-me HTTP/1.1\r\nHost: x\r\n0\r\n\r\nGET /2 HTTP/1.1\r\n\r\n",
		[]string{"POST /1 1.1 ", "GET /2 1.1 "},
	},
	{
		"chunked with trailers",
		"POST /1 HTTP/1.1\r\nTransfer-Encoding: gzip\r\ntransfer-encoding:\tfoo, Chunked\r\n\r\n" +
			"00A\r\n0123456789\r\n000\r\nGET /3 HTTP/1.1\r\nContent-Length: 7\r\n\r\nGET /2 HTTP/1.1\r\n\r\n",
		[]string{"POST /1 1.1 ", "GET /2 1.1 "},
	},
	{
		"chunked with bare line feeds",
		"POST /1 HTTP/1.1\nTransfer-Encoding: chunked\n\n3\nabc\n0\n\nGET /2 HTTP/1.1\n\n",
		[]string{"POST /1 1.1 ", "GET /2 1.1 "},
	},
	{
		"chunked beats length",
		"POST /1 HTTP/1.1\r\nContent-Length: 500\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /2 HTTP/1.1\r\n\r\n",
		[]string{"POST /1 1.1 ", "GET /2 1.1 "},
	},
	{"coded but not chunked", "POST /1 HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n\r\nabc", []string{"POST /1 1.1 ", "broken"}},
	{"chunk size garbage", "POST /1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", []string{"POST /1 1.1 ", "broken"}},
	{"chunk size negative", "POST /1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", []string{"POST /1 1.1 ", "broken"}},
	{"chunk size too large", "POST /1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\n", []string{"POST /1 1.1 ", "broken"}},
	{"chunk without end", "POST /1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n", []string{"POST /1 1.1 ", "broken"}},
	{
		"folded fields",
		"POST /1 HTTP/1.1\r\n folded: nothing\r\nHost:\r\n\ta\r\nContent-Length:\r\n 2\r\nX: y\r\n z\r\n\r\nabGET /2 HTTP/1.1\r\n\r\n",
		[]string{"POST /1 1.1 a", "GET /2 1.1 "},
	},
	{"field without colon", "GET /1 HTTP/1.1\r\nHost\r\nHost: b\r\n\r\n", []string{"GET /1 1.1 b"}},
	{"two hosts", "GET /1 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", []string{"GET /1 1.1 a"}},
	{"host with blanks", "GET /1 HTTP/1.1\r\nhOST: \t a:80 \t\r\n\r\n", []string{"GET /1 1.1 a:80"}},
	{"asterisk", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", []string{"OPTIONS * 1.1 a"}},
	{"absolute", "GET http://u:p@b:81/x?y HTTP/1.1\r\nHost: a\r\n\r\n", []string{"GET http://u:p@b:81/x?y 1.1 b:81"}},
	{"absolute without path", "GET http://b?y HTTP/1.1\r\nHost: a\r\n\r\n", []string{"GET http://b?y 1.1 b"}},
	{"url in a path", "GET /http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", []string{"GET /http://b/ 1.1 a"}},
	{
		"connect, refused", "CONNECT b:443 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\n\r\n",
		[]string{"CONNECT b:443 1.1 b:443 switches", "GET /2 1.1 "},
	},
	{
		"connect, accepted", "CONNECT b:443 HTTP/1.1\r\nHost: a\r\n\r\n\x16\x03\x01",
		[]string{"CONNECT b:443 1.1 b:443 switches", "broken"},
	},
	{
		"upgrade, accepted", "GET /1 HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x85abcd",
		[]string{"GET /1 1.1  switches", "broken"},
	},
	{
		"upgrade, ignored", "GET /1 HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\nGET /2 HTTP/1.1\r\n\r\n",
		[]string{"GET /1 1.1  switches", "GET /2 1.1 "},
	},
	{"http/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", []string{"broken"}},
	{"http/0.9", "GET /\r\n", []string{"broken"}},
	{"response", "HTTP/1.1 200 OK\r\n\r\n", []string{"broken"}},
	{"tls", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc", []string{"broken"}},
	{"ssh", "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", []string{"broken"}},
	{"smtp", "EHLO localhost\r\nMAIL FROM:<a@b>\r\n", []string{"broken"}},
	{"redis", "*1\r\n$4\r\nPING\r\n", []string{"broken"}},
	{"lower case version", "GET / http/1.1\r\n\r\n", []string{"broken"}},
	{"leading blank", " GET / HTTP/1.1\r\n\r\n", []string{"broken"}},
	{"odd method", "!#$%&'*+-.^_`|~09azAZ /1 HTTP/1.1\r\n\r\n", []string{"!#$%&'*+-.^_`|~09azAZ /1 1.1 "}},
	{"blanks around the target", "GET   /1  HTTP/1.1 \r\n\r\n", []string{"GET /1 1.1 "}},
	{"blank in the target", "GET /a b HTTP/1.1\r\n\r\n", []string{"GET /a b 1.1 "}},
	{"control characters", "GET /\x1b[2J\x00 HTTP/1.1\r\n\r\n", []string{"GET /\x1b[2J\x00 1.1 "}},
	{"method too long", strings.Repeat("M", httpstream.MaxMethod+1) + " / HTTP/1.1\r\n\r\n", []string{"broken"}},
	{"method of full length", strings.Repeat("M", httpstream.MaxMethod) + " / HTTP/1.1\r\n\r\n", []string{strings.Repeat("M", httpstream.MaxMethod) + " / 1.1 "}},
	{"carriage returns", "\r\r\nGET / HTTP/1.1\r\n\r\n", []string{"broken"}},
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			check := func(how string, pieces ...string) {
				t.Helper()
				if diff := cmp.Diff(v.want, parse(pieces...)); diff != "" {
					t.Fatalf("%s (-want +got):\n%s", how, diff)
				}
			}
			check("whole", v.stream)
			check("byte by byte", strings.Split(v.stream, "")...)
			for i := range v.stream {
				check(fmt.Sprintf("split at %d", i), v.stream[:i], v.stream[i:])
			}
		})
	}
}

func TestThreePieces(t *testing.T) {
	for _, v := range vectors {
		for i := range v.stream {
			for j := i; j < len(v.stream); j += 3 {
				got := parse(v.stream[:i], v.stream[i:j], v.stream[j:])
				if diff := cmp.Diff(v.want, got); diff != "" {
					t.Fatalf("%s, split at %d and %d (-want +got):\n%s", v.name, i, j, diff)
				}
			}
		}
	}
}

// TestLongLines goes to and past every limit, whole and in pieces.
func TestLongLines(t *testing.T) {
	line := func(n int) string {
		return "GET /" + strings.Repeat("x", n-len("GET / HTTP/1.1")) + " HTTP/1.1"
	}
	long := strings.Repeat("y", 100_000)
	tests := []struct {
		name, stream string
		requests     int
		broken       bool
	}{
		{"8 KiB target", line(8<<10) + "\r\n\r\n", 1, false},
		{"longest start line", line(httpstream.MaxStartLine) + "\r\n\r\n", 1, false},
		{"longest start line, bare", line(httpstream.MaxStartLine) + "\n\n", 1, false},
		{"start line too long", line(httpstream.MaxStartLine+1) + "\r\n\r\n", 0, true},
		{"start line too long, bare", line(httpstream.MaxStartLine+1) + "\n\n", 0, true},
		{"long field", "GET / HTTP/1.1\r\nCookie: " + long + "\r\nHost: a\r\n\r\n", 1, false},
		{"many fields", "GET / HTTP/1.1\r\n" + strings.Repeat("A: b\r\n", 100_000) + "\r\n", 1, false},
		{"long folded field", "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat(" b\r\n", 100_000) + "\r\n", 1, false},
		{"long chunk extension", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;" + long + "\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n", 2, false},
		{"long trailer", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: " + long + "\r\n\r\nGET / HTTP/1.1\r\n\r\n", 2, false},
	}
	for _, test := range tests {
		for _, size := range []int{1, 7, 1448, 8128, len(test.stream)} {
			got := parse(pieces(test.stream, size)...)
			broken := len(got) > 0 && got[len(got)-1] == "broken"
			if broken {
				got = got[:len(got)-1]
			}
			if len(got) != test.requests || broken != test.broken {
				t.Errorf("%s in pieces of %d: %d requests, broken %t; want %d, %t",
					test.name, size, len(got), broken, test.requests, test.broken)
			}
		}
	}
}

func pieces(s string, size int) (all []string) {
	for len(s) > size {
		all, s = append(all, s[:size]), s[size:]
	}
	return append(all, s)
}

func TestReset(t *testing.T) {
	var p httpstream.Parser
	parseWith(&p, "POST / HTTP/1.1\r\nContent-Length: 10\r\nTransfer-Encoding: x\r\nUpgrade: y\r\nHost: a\r\nHo")
	p.Reset()
	want := []string{"GET / 1.1 "}
	if diff := cmp.Diff(want, parseWith(&p, "GET / HTTP/1.1\r\n\r\n")); diff != "" {
		t.Errorf("after Reset (-want +got):\n%s", diff)
	}
	if got := parseWith(&p, "\x00"); !cmp.Equal(got, []string{"broken"}) {
		t.Fatalf("garbage: %q", got)
	}
	p.Reset()
	if diff := cmp.Diff(want, parseWith(&p, "GET / HTTP/1.1\r\n\r\n")); diff != "" {
		t.Errorf("after garbage and Reset (-want +got):\n%s", diff)
	}
}

func TestTakeSkip(t *testing.T) {
	var p httpstream.Parser
	skip := func(want uint64) {
		t.Helper()
		if got := p.TakeSkip(); got != want {
			t.Fatalf("TakeSkip = %d, want %d", got, want)
		}
	}
	parseWith(&p, "PUT / HTTP/1.1\r\nContent-Length: 5000000000\r\n\r\nabc")
	skip(4999999997)
	skip(0)
	parseWith(&p, "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
	skip(0)
	parseWith(&p, "ff\r\n.")
	skip(254)
	skip(0)
	parseWith(&p, "\r\n0\r\n\r\n")
	if got := parseWith(&p, "GET / HTTP/1.1\r\n\r\n"); !cmp.Equal(got, []string{"GET / 1.1 "}) {
		t.Errorf("after skipped bodies: %q", got)
	}
}

func TestPartial(t *testing.T) {
	var p httpstream.Parser
	if p.Partial() != nil || !p.Idle() || p.InStartLine() {
		t.Error("new parser is not idle")
	}
	parseWith(&p, "GET /1 HTT")
	if p.Partial() != nil || p.Idle() || !p.InStartLine() {
		t.Error("half a start line is a request, or nothing")
	}
	parseWith(&p, "P/1.1\r\nHost: a\r\nCook")
	if p.InStartLine() {
		t.Error("still in the start line")
	}
	if r := p.Partial(); r == nil || describe(r) != "GET /1 1.1 a" {
		t.Errorf("Partial = %v", r)
	}
}

func TestLooksLikeRequest(t *testing.T) {
	tests := []struct {
		in   string
		want bool
	}{
		{"", false}, {"G", true}, {"GET", true}, {"GET ", true}, {"GET /", true}, {"GET  /", false},
		{"GET \x7f", false}, {"GET \xc3", true}, {" GET", false}, {"\r\nGET", false}, {"{\"a\":1}", false},
		{strings.Repeat("a", httpstream.MaxMethod+1), false}, {"HTTP/1.1 200", false},
	}
	for _, test := range tests {
		if got := httpstream.LooksLikeRequest([]byte(test.in)); got != test.want {
			t.Errorf("LooksLikeRequest(%q) = %t", test.in, got)
		}
	}
}

func TestStartsRequest(t *testing.T) {
	for in, want := range map[string]bool{
		"": false, "GET / HTTP/1.1": false, "GET / HTTP/1.1\r\n": true, "GET / HTTP/1.1\nHost": true, "Host: a\r\n": false,
	} {
		if got := httpstream.StartsRequest([]byte(in)); got != want {
			t.Errorf("StartsRequest(%q) = %t", in, got)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	stream := []byte("GET /index.html HTTP/1.1\r\nHost: example.com\r\nUser-Agent: x\r\n\r\n" +
		"POST / HTTP/1.1\r\nHost: example.com\r\nContent-Length: 3\r\n\r\nabc")
	var p httpstream.Parser
	run := func() {
		for i := 0; i < len(stream); {
			n, _ := p.Next(stream[i:min(len(stream), i+40)])
			i += n
		}
	}
	run()
	if n := testing.AllocsPerRun(100, run); n != 0 {
		t.Errorf("%v allocations a run", n)
	}
}

func BenchmarkNext(b *testing.B) {
	stream := []byte("GET /index.html HTTP/1.1\r\nHost: example.com\r\nUser-Agent: Mozilla/5.0\r\n" +
		"Accept: text/html\r\nAccept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\n\r\n")
	var p httpstream.Parser
	b.SetBytes(int64(len(stream)))
	for b.Loop() {
		if n, e := p.Next(stream); n != len(stream) || e != httpstream.Head {
			b.Fatal(n, e)
		}
	}
}
