package httpwatch

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/waggle-bpf/waggle/load"
)

func sample(target string) *Request {
	return &Request{
		Time:   time.Date(2026, 11, 5, 10, 20, 30, 123456789, time.FixedZone("", 3600)),
		Src:    netip.MustParseAddrPort("10.0.0.7:40000"),
		Dst:    netip.MustParseAddrPort("[2001:db8::1]:8080"),
		Method: []byte("GET"),
		Target: []byte(target),
		Host:   []byte("example.com:8080"),
		Proto:  "HTTP/1.1",
	}
}

var targets = []struct{ target, text, json string }{
	{"/", "/", `/`},
	{"/a?b=c#d%20", "/a?b=c#d%20", `/a?b=c#d%20`},
	{"/a b", `/a\x20b`, `/a b`},
	{`/a\b"c"`, `/a\\b"c"`, `/a\\b\"c\"`},
	{"/\x1b[2J\r\x00\x7f", `/\x1b[2J\x0d\x00\x7f`, `/\u001b[2J\u000d\u0000\u007f`},
	{"/é/日本", "/é/日本", `/é/日本`},
	{"/\xff\xc3", `/\xff\xc3`, `/%FF%C3`},
	{"/\u202e\u0085\u200b", `/\u202e\u0085\u200b`, `/\u202e\u0085\u200b`},
	{"/\U000e0001", `/\U000e0001`, `/\udb40\udc01`},
	{"/\ufffd", "/\ufffd", "/\ufffd"},
	{"*", "*", "*"},
}

func TestTextSink(t *testing.T) {
	for _, test := range targets {
		var out bytes.Buffer
		s := NewTextSink(&out)
		if err := errors.Join(s.Request(sample(test.target)), s.Flush()); err != nil {
			t.Fatal(err)
		}
		want := "10.0.0.7 - GET " + test.text + " HTTP/1.1\n"
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.target, diff)
		}
	}
}

func TestJSONSink(t *testing.T) {
	for _, test := range targets {
		var out bytes.Buffer
		s := NewJSONSink(&out)
		if err := errors.Join(s.Request(sample(test.target)), s.Flush()); err != nil {
			t.Fatal(err)
		}
		want := `{"time":"2026-11-05T09:20:30.123456789Z","src":"10.0.0.7","src_port":40000,` +
			`"dst":"2001:db8::1","dst_port":8080,"method":"GET","path":"` + test.json +
			`","host":"example.com:8080","proto":"HTTP/1.1"}` + "\n"
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.target, diff)
		}
	}
}

// FuzzSinks requires of any target that the outputs are harmless lines, and that the
// JSON says what was sent if it was UTF-8.
func FuzzSinks(f *testing.F) {
	for _, test := range targets {
		f.Add([]byte(test.target))
	}
	f.Fuzz(func(t *testing.T, target []byte) {
		r := sample(string(target))
		text := string(appendText(nil, r))
		if strings.Count(text, " ") != 4 || !printable(text) {
			t.Errorf("text %q", text)
		}
		line := appendJSON(nil, r)
		if !printable(string(line)) {
			t.Errorf("JSON %q", line)
		}
		var got struct{ Path, Host string }
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("JSON %q: %v", line, err)
		}
		if utf8.Valid(target) && got.Path != string(target) {
			t.Errorf("JSON path %q, want %q", got.Path, target)
		}
	})
}

func printable(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

func TestSinkWritesWholeLines(t *testing.T) {
	var pieces []string
	s := NewTextSink(writerFunc(func(b []byte) { pieces = append(pieces, string(b)) }))
	r := sample("/" + strings.Repeat("x", 1000))
	for range 1000 {
		if err := s.Request(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, p := range pieces {
		if !strings.HasSuffix(p, "\n") {
			t.Error("a write ends within a line")
		}
		lines += strings.Count(p, "\n")
	}
	if lines != 1000 || len(pieces) > 20 {
		t.Errorf("%d lines in %d writes", lines, len(pieces))
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(b []byte) (int, error) { f(b); return len(b), nil }

func TestSinkReportsErrors(t *testing.T) {
	s := NewTextSink(iotest.TruncateWriter(&bytes.Buffer{}, 0))
	_ = s.Request(sample("/"))
	if err := s.Flush(); err != nil {
		t.Errorf("a writer that drops: %v", err)
	}
	s = NewTextSink(brokenWriter{})
	_ = s.Request(sample("/"))
	if err := s.Flush(); err == nil {
		t.Error("no error")
	}
}

type brokenWriter struct{}

var errBroken = errors.New("broken")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestSinksDoNotAllocate(t *testing.T) {
	r := sample("/index.html?é")
	for _, s := range []Sink{NewTextSink(brokenWriter{}), NewJSONSink(brokenWriter{})} {
		_ = s.Request(r)
		if n := testing.AllocsPerRun(1000, func() { _ = s.Request(r) }); n != 0 {
			t.Errorf("%v allocations a request", n)
		}
	}
}

func TestSummaryString(t *testing.T) {
	s := Summary{Requests: 3, Connections: 2}
	s.Traffic.Packets, s.Traffic.Bytes, s.Traffic.Sent = 7, 999_950, 1234
	want := "3 requests on 2 connections, 0 events lost, 0 faults; 7 packets, 1.2 kB of 1.0 MB read"
	if diff := cmp.Diff(want, s.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s.Lost = Losses{Events: 5, Gaps: 2, GapBytes: 90, Evicted: 1}
	s.Faults = []load.Fault{{Count: 2}, {Count: 1}}
	want = "3 requests on 2 connections, 5 events lost, 2 gaps (90 bytes), " +
		"1 connections forgotten in mid-request, 3 faults; 7 packets, 1.2 kB of 1.0 MB read"
	if diff := cmp.Diff(want, s.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
