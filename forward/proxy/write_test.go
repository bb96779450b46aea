package proxy_test

import (
	"bufio"
	"bytes"
	"net/netip"
	"strings"
	"testing"

	proxyproto "github.com/pires/go-proxyproto"

	"github.com/waggle-bpf/waggle/forward/proxy"
)

func TestAppend(t *testing.T) {
	const sum = "\x03\x00\x04"
	for _, test := range []struct {
		name, source, destination string
		local                     bool
		v1, v2                    string // v2 up to the checksum's value
	}{
		{"IPv4", "192.0.2.1:443", "198.51.100.2:65535", false, "PROXY TCP4 192.0.2.1 198.51.100.2 443 65535\r\n", "\x21\x11\x00\x13" + v4 + sum},
		{"IPv6", "[2001:db8::1]:1", "[fd00::2]:80", false, "PROXY TCP6 2001:db8::1 fd00::2 1 80\r\n", "\x21\x21\x00\x2b" + v6 + sum},
		{"mapped", "[::ffff:192.0.2.1]:443", "[::ffff:198.51.100.2]:65535", false, "PROXY TCP4 192.0.2.1 198.51.100.2 443 65535\r\n", "\x21\x11\x00\x13" + v4 + sum},
		{"one mapped", "[::ffff:192.0.2.1]:443", "198.51.100.2:65535", false, "PROXY TCP4 192.0.2.1 198.51.100.2 443 65535\r\n", "\x21\x11\x00\x13" + v4 + sum},
		{"zone", "[2001:db8::1%eth0]:1", "[fd00::2%2]:80", false, "PROXY TCP6 2001:db8::1 fd00::2 1 80\r\n", "\x21\x21\x00\x2b" + v6 + sum},
		{"mixed", "192.0.2.1:443", "[fd00::2]:80", false, "PROXY UNKNOWN\r\n", "\x20\x00\x00\x07" + sum},
		{"mixed, mapped", "[fd00::2]:80", "[::ffff:192.0.2.1]:443", false, "PROXY UNKNOWN\r\n", "\x20\x00\x00\x07" + sum},
		{"none", "", "", false, "PROXY UNKNOWN\r\n", "\x20\x00\x00\x07" + sum},
		{"no destination", "192.0.2.1:443", "", false, "PROXY UNKNOWN\r\n", "\x20\x00\x00\x07" + sum},
		{"local", "192.0.2.1:443", "198.51.100.2:65535", true, "PROXY UNKNOWN\r\n", "\x20\x00\x00\x07" + sum},
	} {
		t.Run(test.name, func(t *testing.T) {
			for version, want := range map[proxy.Version]string{proxy.V1: test.v1, proxy.V2: signature + test.v2} {
				h := proxy.Header{Version: version, Local: test.local, Source: addr(test.source), Destination: addr(test.destination)}
				b, err := h.Append([]byte("before"))
				if err != nil {
					t.Fatal(err)
				}
				b, ok := bytes.CutPrefix(b, []byte("before"))
				if got := string(b); !ok || version == proxy.V1 && got != want || !strings.HasPrefix(got, want) {
					t.Errorf("version %d: got %q", version, b)
				}
				if _, n, err := proxy.Parse(b); n != len(b) || err != nil {
					t.Errorf("version %d: read again: %d, %v", version, n, err)
				}
				if _, err := proxyproto.Read(bufio.NewReader(bytes.NewReader(b))); err != nil {
					t.Errorf("version %d: go-proxyproto: %v", version, err)
				}
			}
		})
	}
}

func TestAppendTLVs(t *testing.T) {
	h := proxy.Header{Version: proxy.V2, Source: addr("192.0.2.1:1"), Destination: addr("192.0.2.2:2"), TLVs: []proxy.TLV{
		{Type: proxy.TypeAuthority, Value: []byte("a.example")},
		{Type: proxy.TypeCRC32C, Value: []byte("old!")}, // of the header that this was read from
	}}
	b, err := h.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	again, n, err := proxy.Parse(b)
	if err != nil || n != len(b) {
		t.Fatal(n, err)
	}
	if len(again.TLVs) != 1 || again.TLVs[0].Type != proxy.TypeAuthority || string(again.TLVs[0].Value) != "a.example" {
		t.Errorf("got %+v", again)
	}
}

func TestAppendErrors(t *testing.T) {
	for want, h := range map[string]proxy.Header{
		"no version 0":     {},
		"no version 3":     {Version: 3},
		"longer than 4096": {Version: 2, TLVs: []proxy.TLV{{Type: 0xe0, Value: make([]byte, 5000)}}},
		"TLVs longer":      {Version: 2, TLVs: []proxy.TLV{{Type: 0xe0, Value: make([]byte, 70000)}}},
		"write PROXY":      {Version: 2, TLVs: []proxy.TLV{{Type: 0xe0, Value: make([]byte, 4000)}, {Type: 0xe0, Value: make([]byte, 4000)}}},
	} {
		if b, err := h.Append(nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %q, %v", want, b, err)
		}
	}
}

func TestHops(t *testing.T) {
	h := proxy.Header{Version: proxy.V2, Source: addr("192.0.2.1:1"), Destination: addr("192.0.2.2:2"),
		TLVs: []proxy.TLV{{Type: 0xe9, Value: []byte("another application's")}}}
	if h.Hops() != 0 {
		t.Errorf("got %d hops of a header without", h.Hops())
	}
	for n := 1; n < 300; n++ {
		h.SetHops(h.Hops() + 1)
		b, err := h.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		if h, _, err = proxy.Parse(b); err != nil {
			t.Fatal(err)
		}
		if want := min(n, 255); h.Hops() != want || len(h.TLVs) != 2 {
			t.Fatalf("got %d hops in %d TLVs, want %d", h.Hops(), len(h.TLVs), want)
		}
	}
}

func TestPolicy(t *testing.T) {
	const header = "PROXY TCP4 192.0.2.1 198.51.100.2 443 65535\r\n"
	local := v2(0x20, 0, "")
	trusted, mapped, stranger := "10.1.2.3", "::ffff:10.1.2.3", "10.2.0.1"
	for _, test := range []struct {
		name    string
		require bool
		peer    string
		bytes   string
		end     proxy.End
		n       int
		source  string
		err     string // "short" for ErrShort
	}{
		{name: "header", peer: trusted, bytes: header + "x", n: len(header), source: "192.0.2.1:443"},
		{name: "header, required", require: true, peer: trusted, bytes: header, n: len(header), source: "192.0.2.1:443"},
		{name: "header, mapped peer", peer: mapped, bytes: header, n: len(header), source: "192.0.2.1:443"},
		{name: "health check", require: true, peer: trusted, bytes: local, n: len(local)},
		{name: "peer with a zone", peer: "fe80::1%eth0", bytes: header, n: len(header), source: "192.0.2.1:443"},
		{name: "none", peer: trusted, bytes: "GET"},
		{name: "none, required", require: true, peer: trusted, bytes: "GET", err: "read PROXY header of 10.1.2.3: none, though its address is trusted and has to send one"},
		{name: "nothing yet", peer: trusted, err: "short"},
		{name: "part", peer: trusted, bytes: header[:20], err: "short"},
		{name: "silent", peer: trusted, end: proxy.Late},
		{name: "silent, required", require: true, peer: trusted, end: proxy.Late, err: "read PROXY header of 10.1.2.3: none, though its address is trusted and has to send one"},
		{name: "part of a signature", peer: trusted, bytes: "PRO", end: proxy.Closed},
		{name: "part of a signature, more may come", peer: trusted, bytes: "PRO", end: proxy.Late, err: "read PROXY header of 10.1.2.3: PROXY header cut short"},
		{name: "part of a header", peer: trusted, bytes: header[:20], end: proxy.Late, err: "read PROXY header of 10.1.2.3: PROXY header cut short"},
		{name: "malformed", peer: trusted, bytes: "PROXY TCP5\r\n", err: "read PROXY header of 10.1.2.3: malformed PROXY header: unknown protocol"},
		{name: "stranger", peer: stranger, bytes: "GET"},
		{name: "stranger, required of others", require: true, peer: stranger, bytes: "GET"},
		{name: "silent stranger", require: true, peer: stranger, end: proxy.Late},
		{name: "stranger, nothing yet", peer: stranger, err: "short"},
		{name: "stranger may become one", peer: stranger, bytes: "PROXY", err: "short"},
		{name: "stranger may still become one", peer: stranger, bytes: "PROX", end: proxy.Late, err: "read PROXY header of 10.2.0.1: its address is not trusted to send one"},
		{name: "stranger may still become one of version 2", peer: stranger, bytes: signature[:1], end: proxy.Late, err: "read PROXY header of 10.2.0.1: its address is not trusted to send one"},
		{name: "stranger can't become one", peer: stranger, bytes: "PROX", end: proxy.Closed},
		{name: "stranger with a header", peer: stranger, bytes: header, err: "read PROXY header of 10.2.0.1: its address is not trusted to send one"},
		{name: "stranger with the beginning of one", peer: stranger, bytes: "PROXY ", err: "read PROXY header of 10.2.0.1: its address is not trusted to send one"},
		{name: "stranger with version 2", peer: stranger, bytes: signature, err: "read PROXY header of 10.2.0.1: its address is not trusted to send one"},
		{name: "stranger with a malformed one", peer: stranger, bytes: "PROXY x\r\n", err: "read PROXY header of 10.2.0.1: its address is not trusted to send one"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := proxy.Policy{Trusted: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("fe80::/10")}, Require: test.require}
			h, n, err := p.Read(netip.MustParseAddr(test.peer), []byte(test.bytes), test.end)
			want := test.err
			if want == "short" {
				if err != proxy.ErrShort {
					t.Errorf("got %v", err)
				}
				return
			}
			if text(err) != want || n != test.n || h.Source != addr(test.source) {
				t.Errorf("got %+v, %d, %v", h, n, err)
			}
		})
	}
	var nobody proxy.Policy
	if nobody.Trusts(netip.MustParseAddr("127.0.0.1")) {
		t.Error("the zero policy trusts somebody")
	}
}
