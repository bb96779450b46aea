package httpstream_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAgainstNetHTTP compares with net/http's reader on random request streams,
// each fed in random pieces.
func TestAgainstNetHTTP(t *testing.T) {
	rounds := 1000
	if testing.Short() {
		rounds = 300
	}
	for seed := range rounds {
		g := generator{rand.New(rand.NewPCG(uint64(seed), 1))}
		stream := g.stream()
		want, err := readAll(stream)
		if err != nil {
			t.Fatalf("seed %d: net/http: %v\n%.2000q", seed, err, stream)
		}
		if diff := cmp.Diff(want, parse(g.split(stream)...)); diff != "" {
			t.Fatalf("seed %d (-net/http +ours):\n%s\n%.2000q", seed, diff, stream)
		}
	}
}

// readAll is the oracle: every request net/http reads from the stream.
func readAll(stream string) (found []string, err error) {
	r := bufio.NewReader(strings.NewReader(stream))
	for {
		if _, err := r.Peek(1); err == io.EOF {
			return found, nil
		}
		req, err := http.ReadRequest(r)
		if err != nil {
			return found, err
		}
		found = append(found, describeHTTP(req))
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return found, err
		}
	}
}

func describeHTTP(r *http.Request) string {
	s := fmt.Sprintf("%s %s 1.%d %s", r.Method, r.RequestURI, r.ProtoMinor, r.Host)
	if r.Method == "CONNECT" || r.Header["Upgrade"] != nil {
		s += " switches"
	}
	return s
}

// generator makes valid request streams of every shape.
type generator struct{ *rand.Rand }

func (g generator) pick(of ...string) string { return of[g.IntN(len(of))] }

func (g generator) stream() string {
	var b strings.Builder
	for range 1 + g.IntN(6) {
		g.request(&b)
	}
	return b.String()
}

func (g generator) request(b *strings.Builder) {
	eol := g.pick("\r\n", "\r\n", "\n")
	method := g.pick("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "M-SEARCH", "get", "X!#$%&'*+-.^_`|~9")
	target := g.pick("/", "/index.html", "/a?b=c&d=%20", "http://other.example:8080/x", "/"+strings.Repeat("long", g.IntN(2000)))
	if method == "OPTIONS" {
		target = "*"
	}
	// net/http ignores Transfer-Encoding in HTTP/1.0, where a listener had
	// better not.
	minor := "1"
	body := g.IntN(4)
	if body != 2 && g.IntN(5) == 0 {
		minor = "0"
	}
	fmt.Fprintf(b, "%s %s HTTP/1.%s%s", method, target, minor, eol)
	fmt.Fprintf(b, "%s:%s%s", g.pick("Host", "host", "HOST"), g.pick("a", " example.com:80 ", "\t[::1]:8080"), eol)
	for range g.IntN(5) {
		fmt.Fprintf(b, "%s: %s%s", g.pick("Accept", "X-Content-Length", "Cookie", "Expect"), g.value(), eol)
	}
	if g.IntN(10) == 0 {
		fmt.Fprintf(b, "Upgrade: h2c%s", eol)
	}
	switch body {
	case 0, 3:
		fmt.Fprint(b, eol)
	case 1:
		data := g.bytes(g.IntN(300))
		fmt.Fprintf(b, "%s:%s%d%s%s%s", g.pick("Content-Length", "content-length"), g.pick(" ", "", " 0"), len(data), eol, eol, data)
	case 2:
		g.chunked(b, eol)
	}
}

func (g generator) chunked(b *strings.Builder, eol string) {
	fmt.Fprintf(b, "Transfer-Encoding:%s%s%s", g.pick(" chunked", "chunked", " CHUNKED"), eol, eol)
	for range g.IntN(4) {
		data := g.bytes(1 + g.IntN(100))
		fmt.Fprintf(b, "%s%s\r\n%s\r\n", fmt.Sprintf(g.pick("%x", "%X", "0%x"), len(data)), g.pick("", ";a=b", ";a=\"c\""), data)
	}
	b.WriteString(g.pick("0", "000", "0;last") + "\r\n")
	for range g.IntN(3) {
		fmt.Fprintf(b, "X-Trailer: %s\r\n", g.pick("x", "", "GET / HTTP/1.1", "Content-Length: 5"))
	}
	b.WriteString("\r\n")
}

func (g generator) value() string {
	return g.pick("x", "", "100-continue", "a, b", strings.Repeat("v", g.IntN(3000)))
}

// bytes is a body, often one that looks like a request.
func (g generator) bytes(n int) string {
	const trap = "\r\n\r\nGET /trap HTTP/1.1\r\nHost: trap\r\nContent-Length: 9\r\n\r\n0\r\n\r\n"
	b := []byte(strings.Repeat(trap, n/len(trap)+1)[:n])
	if n > 0 && g.IntN(2) == 0 {
		b[g.IntN(n)] = byte(g.Uint32())
	}
	return string(b)
}

// split cuts a stream into pieces of one of several typical sizes.
func (g generator) split(s string) (all []string) {
	longest := []int{1, 3, 88, 1448, 65536}[g.IntN(5)]
	for len(s) > 0 {
		n := min(len(s), 1+g.IntN(longest))
		all, s = append(all, s[:n]), s[n:]
	}
	return all
}

// FuzzSplit requires that it never matters where a stream is cut.
func FuzzSplit(f *testing.F) {
	for i, v := range vectors {
		f.Add([]byte(v.stream), uint64(i))
	}
	f.Fuzz(func(t *testing.T, stream []byte, seed uint64) {
		g := generator{rand.New(rand.NewPCG(seed, 2))}
		want, got := parse(string(stream)), parse(g.split(string(stream))...)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("cut (-whole +pieces):\n%s", diff)
		}
	})
}

// FuzzAgainstNetHTTP requires that whatever net/http takes for a sequence of
// requests is the same sequence to us.
func FuzzAgainstNetHTTP(f *testing.F) {
	for _, v := range vectors {
		f.Add([]byte(v.stream))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		want, err := readAll(string(stream))
		if err != nil || hasKnownDifference(string(stream)) {
			return
		}
		if diff := cmp.Diff(want, parse(string(stream))); diff != "" {
			t.Errorf("(-net/http +ours):\n%s", diff)
		}
	})
}

// hasKnownDifference recognises the inputs on which net/http and a listener
// differ on purpose.
func hasKnownDifference(stream string) bool {
	lower := strings.ToLower(stream)
	for _, s := range []string{
		"http/1.0", "transfer-encoding", // net/http ignores codings in HTTP/1.0
		"connect ",  // net/http gives a CONNECT a body and rewrites its target
		"upgrade",   // seen in folded or repeated fields alike
		"http://",   // user information, escapes in the authority
		"://", "//", // net/http parses the authority of //host/ too
	} {
		if strings.Contains(lower, s) {
			return true
		}
	}
	return otherStart.MatchString(stream)
}

// otherStart matches what net/http takes for a start line and we do not: other
// major versions and methods that are too long.
var otherStart = regexp.MustCompile(`HTTP/[^1]|[^ \t\n]{33} `)
