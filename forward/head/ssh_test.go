package head_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/waggle-bpf/waggle/forward/head"
)

func TestBanners(t *testing.T) {
	for _, test := range []struct {
		name, bytes string
		status      head.Status
		want        string // banner or reason
	}{
		{"OpenSSH", "SSH-2.0-OpenSSH_10.0\r\n", head.Known, "SSH-2.0-OpenSSH_10.0"},
		{"comment", "SSH-2.0-PuTTY_Release_0.83 a comment\r\n", head.Known, "SSH-2.0-PuTTY_Release_0.83 a comment"},
		{"line feed only", "SSH-2.0-x\n", head.Known, "SSH-2.0-x"},
		{"old", "SSH-1.99-x\r\n", head.Known, "SSH-1.99-x"},
		{"longest", "SSH-2.0-" + strings.Repeat("x", 245) + "\r\n", head.Known, "SSH-2.0-" + strings.Repeat("x", 245)},
		{"UTF-8 comment", "SSH-2.0-x \xc3\xa9\r\n", head.Known, "SSH-2.0-x \xc3\xa9"},
		{"too long", "SSH-2.0-" + strings.Repeat("x", 246) + "\r\n", head.Malformed, "ssh banner longer than 255 bytes"},
		{"too long already", "SSH-2.0-" + strings.Repeat("x", 247), head.Malformed, "ssh banner longer than 255 bytes"},
		{"NUL", "SSH-2.0-x\x00\r\n", head.Malformed, "control character in the ssh banner"},
		{"CR within", "SSH-2.0-x\ry\r\n", head.Malformed, "control character in the ssh banner"},
		{"no version", "SSH-OpenSSH\r\n", head.Malformed, "ssh banner without a version"},
		{"empty version", "SSH--x\r\n", head.Malformed, "ssh banner without a version"},
		{"version in words", "SSH-two-x\r\n", head.Malformed, "ssh banner without a version"},
		{"no software", "SSH-2.0-\r\n", head.Malformed, "ssh banner without a software version"},
		{"only a comment", "SSH-2.0- x\r\n", head.Malformed, "ssh banner without a software version"},
		{"begun", "SSH-2.0-Open", head.More, ""},
		{"lower case", "ssh-2.0-x\r\n", head.Unknown, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := parse(t, []byte(test.bytes))
			if h.Status != test.status || h.Banner+h.Reason != test.want {
				t.Errorf("got %+v", h)
			}
			if h.Status == head.Known && h.Size != len(test.bytes) {
				t.Errorf("size %d of %d", h.Size, len(test.bytes))
			}
		})
	}
}

// banner is RFC 4253 4.2 as a regular expression, with a bare line feed allowed.
var banner = regexp.MustCompile(`\A(SSH-[0-9.]+-[^\x00-\x20\x7f][^\x00-\x1f\x7f]*)\r?\n`)

func FuzzBanner(f *testing.F) {
	f.Add([]byte("SSH-2.0-OpenSSH_10.0 x\r\nmore"))
	f.Add([]byte("SSH-1.99-x\n"))
	f.Add([]byte("SSH-2.0-\r\n"))
	f.Add([]byte("SSH-FOO / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		compareSplits(t, b)
		var p head.Parser
		p.Parse(b)
		want := banner.FindSubmatch(b)
		ok := want != nil && len(want[0]) <= 255
		if got := p.Head(); ok != (got.Status == head.Known && got.Protocol == head.SSH) || ok && got.Banner != string(want[1]) {
			t.Errorf("%q: got %+v", b, got)
		}
	})
}

func TestName(t *testing.T) {
	for in, want := range map[string]string{
		"a.example": "a.example", "A.EXAMPLE.": "a.example", "xn--9ca.example": "xn--9ca.example",
		"1.2.3": "1.2.3", "192.0.2.1": "192.0.2.1", "[::1]": "::1", "::FFFF:192.0.2.1": "::ffff:192.0.2.1",
		"a_b": "a_b", "-": "-", "0": "0",
		"": "", ".": "", "..": "", "a..b": "", ".a": "", "a.b..": "", "a b": "", "a:80": "", "*.a": "", "[1.2.3.4]": "", "[a]": "", "[]": "", "é": "",
		"fe80::1%eth0": "", strings.Repeat("a", 64): "", strings.Repeat("a.", 126) + "a": strings.Repeat("a.", 126) + "a", strings.Repeat("a.", 127) + "a": "",
	} {
		if got, ok := head.Name(in); got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %t", in, got, ok)
		}
	}
}
