package packet_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/bpftest"
	"github.com/waggle-bpf/waggle/bpf/packet"
)

func TestTCPOptions(t *testing.T) {
	tests := []struct {
		name string
		opts []byte
		want packet.TCPOptions
	}{
		{"none", nil, packet.TCPOptions{}},
		{"Linux SYN", []byte{2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 3, 3, 7},
			packet.TCPOptions{MSS: 1460, SACKPermitted: true, HasTimestamps: true, TSVal: 1, TSEcr: 2, Timestamps: 34 + 20 + 8, HasWindowScale: true, WindowScale: 7}},
		{"two SACK blocks", []byte{1, 1, 5, 18, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
			packet.TCPOptions{SACK: 34 + 20 + 4, SACKBlocks: 2}},
		{"end of list", []byte{0, 0, 2, 4, 5, 180, 0, 0}, packet.TCPOptions{}},
		{"length 0", []byte{2, 0, 3, 3, 7, 0, 0, 0}, packet.TCPOptions{}},
		{"cut off", []byte{1, 1, 1, 2}, packet.TCPOptions{}},
		{"wrong length", []byte{2, 3, 9, 3, 3, 4, 0, 0}, packet.TCPOptions{HasWindowScale: true, WindowScale: 4}},
		{"all padding", make40(1), packet.TCPOptions{}},
	}
	for _, test := range tests {
		b := packet.Bytes(bpftest.Packet{Src: a4, Dst: b4, TCPOptions: test.opts, Payload: "data"}.Bytes())
		p := packet.Parse(b)
		if diff := cmp.Diff(test.want, p.TCPOptions(b)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

func make40(c byte) []byte { return []byte(strings.Repeat(string(rune(c)), 40)) }

func TestHTTPRequest(t *testing.T) {
	long := strings.Repeat("a", packet.MaxTarget-1)
	tests := []struct {
		in     string
		method packet.Method
		target string
		minor  int
	}{
		{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", packet.GET, "/", 1},
		{"POST /a?b=c HTTP/1.0\r\n", packet.POST, "/a?b=c", 0},
		{"HEAD * HTTP/1.1\r\n", packet.HEAD, "*", 1},
		{"PUT /x HTTP/1.1\r\n", packet.PUT, "/x", 1},
		{"DELETE /x HTTP/1.1\r\n", packet.DELETE, "/x", 1},
		{"OPTIONS * HTTP/1.1\r\n", packet.OPTIONS, "*", 1},
		{"PATCH /x HTTP/1.1\r\n", packet.PATCH, "/x", 1},
		{"CONNECT a:1 HTTP/1.1\r\n", packet.CONNECT, "a:1", 1},
		{"TRACE /x HTTP/1.1\r\n", packet.TRACE, "/x", 1},
		{"GET /" + long + " HTTP/1.1\r\n", packet.GET, "/" + long, 1},
		{"GET /a" + long + " HTTP/1.1\r\n", packet.GET, "", -1},
		{"GET /goes-on", packet.GET, "", -1},
		{"GET /x\r\n", packet.GET, "", -1},
		{"GET /x HTTP/2.0\r\n", packet.GET, "/x", -1},
		{"GET /x HTTP/1.", packet.GET, "/x", -1},
		{"GET /x ", packet.NoMethod, "", -1},
		{"GET /x HTTP", packet.GET, "", -1},
		{"GET /\x80\xff\xa0 HTTP/1.1\r\n", packet.GET, "/\x80\xff\xa0", 1},
		{"GET /\tx HTTP/1.1\r\n", packet.GET, "", -1},
		{"GET", packet.NoMethod, "", -1},
		{"get / HTTP/1.1\r\n", packet.NoMethod, "", -1},
		{"GETX / HTTP/1.1\r\n", packet.NoMethod, "", -1},
		{"", packet.NoMethod, "", -1},
	}
	for _, test := range tests {
		l := packet.HTTPRequest(packet.Bytes(test.in))
		target := ""
		if l.TargetEnd > 0 {
			target = test.in[l.Target:l.TargetEnd]
		}
		if l.Method != test.method || target != test.target || l.Minor != test.minor {
			t.Errorf("%.40q: %v %q %d", test.in, l.Method, target, l.Minor)
		}
		if test.method != packet.NoMethod && !strings.HasPrefix(test.in, l.Method.String()+" ") {
			t.Errorf("%.40q: method is called %v", test.in, l.Method)
		}
	}
}

func TestHTTPStatus(t *testing.T) {
	for in, want := range map[string]int{
		"HTTP/1.1 200 OK\r\n": 200, "HTTP/1.0 404 \r\n": 404, "HTTP/1.1 999": 999,
		"HTTP/1.1 20": 0, "HTTP/1.1 2x0 OK": 0, "HTTP/1.1-200": 0, "HTTP/2 200": 0, "": 0,
	} {
		if got := packet.HTTPStatus(packet.Bytes(in)); got != want {
			t.Errorf("%q: %d, want %d", in, got, want)
		}
	}
}

func TestAddr(t *testing.T) {
	a := packet.AddrFrom4(packet.IPv4Addr(192, 0, 2, 1))
	if a != packet.MustParseAddr("192.0.2.1") || !a.Is4() || a.String() != "192.0.2.1" {
		t.Errorf("AddrFrom4: %v", a)
	}
	if a.As4() != packet.IPv4Addr(192, 0, 2, 1) {
		t.Errorf("As4: %#x", a.As4())
	}
	b := packet.MustParseAddr("2001:db8::1")
	words := [4]bpf.BE32{bpf.ToBE32(0x20010db8), 0, 0, bpf.ToBE32(1)}
	if b.Is4() || b != packet.AddrFromWords(words) || b.String() != "2001:db8::1" {
		t.Errorf("AddrFromWords: %v", packet.AddrFromWords(words))
	}
}

func TestAt(t *testing.T) {
	b := packet.Bytes{1, 2, 3, 4}
	for _, test := range []struct {
		off  int
		want bool
	}{{-1, false}, {0, true}, {2, true}, {3, false}, {4, false}, {1 << 62, false}, {-1 << 63, false}} {
		if got := packet.At[uint16](b, test.off) != nil; got != test.want {
			t.Errorf("At(%d) is there: %v", test.off, got)
		}
	}
}
