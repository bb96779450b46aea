package head_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/waggle-bpf/waggle/forward/head"
)

// parse parses b in one go, after checking that any other way gives the same.
func parse(t *testing.T, b []byte) *head.Head {
	t.Helper()
	compareSplits(t, b)
	var p head.Parser
	p.Parse(b)
	return p.Head()
}

// sameHead compares all that can be seen of two heads.
func sameHead(t *testing.T, how string, got, want *head.Head) bool {
	t.Helper()
	diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(head.Head{}))
	for _, p := range []head.Protocol{head.TLS, head.HTTP, head.HTTP2, head.SSH, head.Other} {
		if got.May(p) != want.May(p) {
			diff += "may be " + p.String()
		}
	}
	if diff != "" {
		t.Errorf("%s: %s", how, diff)
	}
	return diff == ""
}

// compareSplits parses b byte by byte and in random segments, as a prefix of more, and
// again after it is final.
func compareSplits(t *testing.T, b []byte) {
	t.Helper()
	var whole head.Parser
	whole.Parse(b)
	for seed := range uint64(3) {
		rnd := rand.New(rand.NewPCG(seed, uint64(len(b))))
		var p head.Parser
		status := head.More
		for n := 0; n < len(b); {
			n = min(len(b), n+segment(rnd, seed, len(b)))
			next := p.Parse(bytes.Clone(b[:n])) // nothing may be kept of what it was given
			if status != head.More && next != status {
				t.Fatalf("status %s became %s at byte %d", status, next, n)
			}
			status = next
		}
		if !sameHead(t, "in segments", p.Head(), whole.Head()) {
			return
		}
	}
	if whole.Head().Status != head.More {
		var p head.Parser
		p.Parse(append(bytes.Clone(b), "GET / HTTP/1.1\r\nHost: other\r\n\r\n"...))
		sameHead(t, "with more behind", p.Head(), whole.Head())
	}
}

// segment is a segment's size: of one byte, small or anything.
func segment(rnd *rand.Rand, seed uint64, total int) int {
	switch seed {
	case 0:
		return 1 + total/4096 // single bytes, unless that takes too long
	case 1:
		return 1 + rnd.IntN(20)
	}
	return 1 + rnd.IntN(total)
}

// TestEverySplit cuts heads of each protocol at each place.
func TestEverySplit(t *testing.T) {
	for _, b := range [][]byte{
		records(message(serverNames("a.example"), alpn("h2")), 33),
		hello(serverNames("a.example")),
		sslv2(0, 2),
		[]byte("GET /a/../b HTTP/1.1\r\nHost: a.example:80\r\nX: y\r\n\r\nGET / HTTP/1.1\r\n"),
		[]byte("\r\n\nGET / HTTP/1.0\n\n"),
		[]byte("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
		[]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00"),
		[]byte("PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"),
		[]byte("PRI * HTTP/1.1\r\nHost: a\r\n\r\n"),
		[]byte("SSH-2.0-OpenSSH_10.0 x\r\nmore"),
		[]byte("SSH-FOO / HTTP/1.1\r\nHost: a\r\n\r\n"),
		[]byte("SEARCH / HTTP/1.1\r\nHost: a\r\n\r\n"),
		[]byte("EHLO mail.example\r\n"),
		[]byte("\x00\x01binary"),
	} {
		var whole head.Parser
		whole.Parse(b)
		for i := range b {
			for j := i; j < len(b); j++ {
				var p head.Parser
				p.Parse(b[:i])
				p.Parse(b[:j])
				p.Parse(b)
				if !sameHead(t, "in three segments", p.Head(), whole.Head()) {
					t.Fatalf("%q cut at %d and %d", b, i, j)
				}
			}
		}
	}
}

// TestLinear spoils all bytes but the first and last few, a thousand at a time. Who looks
// at them again, and so is quadratic in a head that comes in single bytes, sees an end
// that is none.
func TestLinear(t *testing.T) {
	spoiled := bytes.Repeat([]byte("\n"), 1000)
	for name, b := range map[string][]byte{
		"line":    append([]byte("GET / HTTP/1.1\r\nX: "), bytes.Repeat([]byte("x"), 60000)...),
		"lines":   append([]byte("GET / HTTP/1.1\r\n"), bytes.Repeat([]byte("a:\r\n"), 15000)...),
		"target":  append([]byte("GET /"), bytes.Repeat([]byte("x"), 60000)...),
		"records": records(append([]byte{1, 0, 0x20, 0}, make([]byte, 8000)...), 1),
		"record":  hello(extension{51, make([]byte, 16000)})[:16000],
	} {
		t.Run(name, func(t *testing.T) {
			var p head.Parser
			for n := range b {
				if status := p.Parse(b[:n+1]); status != head.More {
					t.Fatalf("%s after %d bytes: %s", status, n+1, p.Head().Reason)
				}
				if n%1000 == 0 && n > 0 {
					copy(b[max(20, n-1000):n-7], spoiled)
				}
			}
		})
	}
}

func TestMay(t *testing.T) {
	for _, test := range []struct {
		bytes string
		want  []head.Protocol
	}{
		{"", []head.Protocol{head.TLS, head.HTTP, head.HTTP2, head.SSH, head.Other}},
		{"S", []head.Protocol{head.HTTP, head.SSH, head.Other}},
		{"SE", []head.Protocol{head.HTTP, head.Other}},
		{"P", []head.Protocol{head.HTTP, head.HTTP2, head.Other}},
		{"PO", []head.Protocol{head.HTTP, head.Other}},
		{"\x16", []head.Protocol{head.TLS, head.Other}},
		{"\x80", []head.Protocol{head.TLS, head.Other}},
		{"\r\n", []head.Protocol{head.HTTP, head.Other}},
		{"SSH-", []head.Protocol{head.SSH}},
		{"GET / HTTP/1.1\r\n", []head.Protocol{head.HTTP}},
		{"\x16\x03\x01\x01\x00\x01", []head.Protocol{head.TLS}},
		{"\x00", []head.Protocol{head.Other}},
		{"HELO\r", []head.Protocol{head.Other}},
	} {
		var p head.Parser
		p.Parse([]byte(test.bytes))
		var got []head.Protocol
		for _, protocol := range []head.Protocol{head.TLS, head.HTTP, head.HTTP2, head.SSH, head.Other} {
			if p.Head().May(protocol) {
				got = append(got, protocol)
			}
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%q: %s", test.bytes, diff)
		}
	}
}

func TestProtocolNamed(t *testing.T) {
	for _, name := range []string{"tls", "http", "h2", "ssh", "other"} {
		if p, ok := head.ProtocolNamed(name); !ok || p.String() != name {
			t.Errorf("%s: got %v, %t", name, p, ok)
		}
	}
	for _, name := range []string{"", "TLS", "smtp"} {
		if p, ok := head.ProtocolNamed(name); ok {
			t.Errorf("%q: got %v", name, p)
		}
	}
}

// TestNoAllocation: bytes of no known protocol cost nothing.
func TestNoAllocation(t *testing.T) {
	for _, b := range []string{"", "\x00\x01\x02", "EHLO mail.example\r\n", "GET / HT", "SSH-2", "\x16\x03\x01\x02", "PRI * "} {
		bytes := []byte(b)
		var p head.Parser
		if n := testing.AllocsPerRun(100, func() {
			p = head.Parser{}
			p.Parse(bytes)
		}); n > 0 {
			t.Errorf("%q: %v allocations", b, n)
		}
	}
}

func benchmark(b *testing.B, data []byte, step int) {
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	var p head.Parser
	for b.Loop() {
		p = head.Parser{}
		for n := 0; n < len(data); {
			n = min(n+step, len(data))
			p.Parse(data[:n])
		}
		if p.Head().Status == head.More {
			b.Fatal("not known")
		}
	}
}

func BenchmarkParse(b *testing.B) {
	browser := []byte("GET /index.html?x=1 HTTP/1.1\r\nHost: www.example.org\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n" +
		"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nConnection: keep-alive\r\n\r\n")
	pq := hello(versions(), serverNames("www.example.org"), alpn("h2", "http/1.1"), extension{51, make([]byte, 1258)})
	for _, c := range []struct {
		name string
		data []byte
		step int
	}{
		{"tls", pq, 1 << 16},
		{"tls_fragmented", records(pq[5:], 300), 1 << 16},
		{"tls_bytewise", pq, 1},
		{"http", browser, 1 << 16},
		{"http_bytewise", browser, 1},
		{"ssh", []byte("SSH-2.0-OpenSSH_10.0p2 Debian-7\r\n"), 1 << 16},
		{"h2", []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 1 << 16},
		{"other_binary", []byte("\x00\x00\x00\x08\x04\xd2\x16\x2f"), 1 << 16},
		{"other_text", []byte("EHLO mail.example\r\n"), 1 << 16},
	} {
		b.Run(c.name, func(b *testing.B) { benchmark(b, c.data, c.step) })
	}
}
