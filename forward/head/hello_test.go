package head_test

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/forward/head"
)

// extension is one of a ClientHello put together by hand.
type extension struct {
	kind    uint16
	content []byte
}

func vector16(b []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
}

func vector8(b []byte) []byte { return append([]byte{byte(len(b))}, b...) }

// serverNames is a server_name extension with some names.
func serverNames(names ...string) extension {
	var list []byte
	for _, n := range names {
		list = append(append(list, 0), vector16([]byte(n))...)
	}
	return extension{0, vector16(list)}
}

func alpn(protocols ...string) extension {
	var list []byte
	for _, p := range protocols {
		list = append(list, vector8([]byte(p))...)
	}
	return extension{16, vector16(list)}
}

// versions is supported_versions, without which crypto/tls takes a hello for TLS 1.2.
func versions() extension { return extension{43, []byte{2, 3, 4}} }

// message makes the handshake message of a ClientHello.
func message(extensions ...extension) []byte {
	body := append([]byte{3, 3}, make([]byte, 32)...)
	body = append(body, vector8(nil)...)
	body = append(body, vector16([]byte{0x13, 0x01, 0xc0, 0x2f})...)
	body = append(body, vector8([]byte{0})...)
	if extensions != nil {
		var list []byte
		for _, e := range extensions {
			list = append(binary.BigEndian.AppendUint16(list, e.kind), vector16(e.content)...)
		}
		body = append(body, vector16(list)...)
	}
	n := len(body)
	return append([]byte{1, byte(n >> 16), byte(n >> 8), byte(n)}, body...)
}

// records cuts a message into records of at most size bytes.
func records(message []byte, size int) []byte {
	var out []byte
	for part := range slices.Chunk(message, size) {
		out = append(append(out, 22, 3, 1), vector16(part)...)
	}
	return out
}

// hello is a ClientHello in one record.
func hello(extensions ...extension) []byte { return records(message(extensions...), 1<<14) }

// realHello is the first flight of crypto/tls.
func realHello(t testing.TB, config *tls.Config) []byte {
	t.Helper()
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	go func() { _ = tls.Client(client, config).Handshake() }()
	_ = server.SetDeadline(time.Now().Add(30 * time.Second))
	b := make([]byte, 5)
	if _, err := io.ReadFull(server, b); err != nil {
		t.Fatal(err)
	}
	b = append(b, make([]byte, binary.BigEndian.Uint16(b[3:]))...)
	if _, err := io.ReadFull(server, b[5:]); err != nil {
		t.Fatal(err)
	}
	return b
}

// sslv2 is a version 2 hello that asks for a version.
func sslv2(major, minor byte) []byte {
	b := sslv2Challenge(16)
	b[3], b[4] = major, minor
	return b
}

// sslv2Challenge is one with a challenge of that size, which is 16 to 32.
func sslv2Challenge(size byte) []byte {
	b := []byte{0x80, 15 + size, 1, 0, 2, 0, 6, 0, 0, 0, size, 0, 0, 0x2f, 0x07, 0, 0xc0}
	return append(b, make([]byte, size)...)
}

// silentConn is a connection that has sent some bytes and takes any.
type silentConn struct {
	net.Conn
	*bytes.Reader
}

func (c silentConn) Read(b []byte) (int, error)       { return c.Reader.Read(b) }
func (c silentConn) Write(b []byte) (int, error)      { return len(b), nil }
func (c silentConn) Close() error                     { return nil }
func (c silentConn) SetDeadline(time.Time) error      { return nil }
func (c silentConn) SetReadDeadline(time.Time) error  { return nil }
func (c silentConn) SetWriteDeadline(time.Time) error { return nil }
func (c silentConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c silentConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }

// goHello is what crypto/tls makes of the same bytes.
func goHello(b []byte) (info *tls.ClientHelloInfo, err error) {
	seen := errors.New("seen")
	config := &tls.Config{GetConfigForClient: func(i *tls.ClientHelloInfo) (*tls.Config, error) {
		info = i
		return nil, seen
	}}
	err = tls.Server(silentConn{Reader: bytes.NewReader(b)}, config).Handshake()
	if errors.Is(err, seen) {
		err = nil
	}
	return info, err
}

func TestRealHellos(t *testing.T) {
	long := bytes.Repeat([]byte("k"), 200)
	var many []string
	for range 120 {
		many = append(many, string(long))
	}
	for _, test := range []struct {
		name   string
		config *tls.Config
		sni    string
	}{
		{"name", &tls.Config{ServerName: "www.Example.org"}, "www.example.org"},
		{"dot", &tls.Config{ServerName: "www.example.org."}, "www.example.org"},
		{"address", &tls.Config{ServerName: "192.0.2.1"}, ""},
		{"none", &tls.Config{InsecureSkipVerify: true}, ""},
		{"alpn", &tls.Config{ServerName: "a.example", NextProtos: []string{"h2", "http/1.1"}}, "a.example"},
		{"tls12", &tls.Config{ServerName: "a.example", MaxVersion: tls.VersionTLS12}, "a.example"},
		{"classic keys", &tls.Config{ServerName: "a.example", CurvePreferences: []tls.CurveID{tls.X25519}}, "a.example"},
		{"post-quantum keys", &tls.Config{ServerName: "a.example", CurvePreferences: []tls.CurveID{tls.X25519MLKEM768}}, "a.example"},
		{"more than a record", &tls.Config{ServerName: "a.example", NextProtos: many}, "a.example"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := realHello(t, test.config)
			if test.name == "more than a record" {
				b = realLongHello(t, test.config)
			}
			h := parse(t, b)
			if h.Status != head.Known || h.Protocol != head.TLS || h.SNI != test.sni || !slices.Equal(h.ALPN, test.config.NextProtos) || h.Size != len(b) {
				t.Errorf("got %+v of %d bytes", h, len(b))
			}
			info, err := goHello(b)
			if err != nil || info.ServerName != test.sni && test.name != "name" || !slices.Equal(info.SupportedProtos, h.ALPN) {
				t.Errorf("crypto/tls: %+v, %v", info, err)
			}
		})
	}
}

// realLongHello reads until the client waits for an answer: a hello of several records.
func realLongHello(t testing.TB, config *tls.Config) []byte {
	t.Helper()
	var out bytes.Buffer
	client := tls.Client(writeConn{Buffer: &out}, config)
	if err := client.Handshake(); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	return out.Bytes()
}

// writeConn keeps what is written and never answers.
type writeConn struct {
	silentConn
	*bytes.Buffer
}

func (c writeConn) Read([]byte) (int, error)    { return 0, io.EOF }
func (c writeConn) Write(b []byte) (int, error) { return c.Buffer.Write(b) }

func TestEncryptedHello(t *testing.T) {
	// RFC 9849: the outer hello names the provider, and says that there is more.
	h := parse(t, hello(versions(), serverNames("public.example"), extension{0xfe0d, []byte{0, 0, 1, 0, 1, 7, 0, 0, 0, 0}}))
	if h.SNI != "public.example" || !h.ECH {
		t.Errorf("got %+v", h)
	}
	if h := parse(t, hello(versions(), serverNames("public.example"))); h.ECH {
		t.Errorf("got %+v", h)
	}
}

func TestHellos(t *testing.T) {
	known := func(sni string) head.Head {
		return head.Head{Status: head.Known, Protocol: head.TLS, SNI: sni}
	}
	malformed := func(reason string) head.Head {
		return head.Head{Status: head.Malformed, Protocol: head.TLS, Reason: reason}
	}
	cut := func(b []byte) []byte { // a hello whose message ends a byte early
		b = bytes.Clone(b)
		b[8]--
		return b
	}
	grease := extension{0x0a0a, nil}
	big := extension{51, make([]byte, 20000)} // key shares beyond one record
	var manyExtensions []extension
	for i := range 2000 {
		manyExtensions = append(manyExtensions, extension{kind: uint16(1000 + i)})
	}
	for _, test := range []struct {
		name  string
		bytes []byte
		want  head.Head
	}{
		{"plain", hello(serverNames("a.example")), known("a.example")},
		{"no extensions", hello(), known("")},
		{"empty extensions", hello([]extension{}...), known("")},
		{"grease", hello(grease, serverNames("a.example"), extension{0xfafa, []byte{0}}), known("a.example")},
		{"upper case and dot", hello(serverNames("A.Example.")), known("a.example")},
		{"underscore", hello(serverNames("_x.a_b.example")), known("_x.a_b.example")},
		{"IPv4", hello(serverNames("192.0.2.7")), known("192.0.2.7")},
		{"IPv6", hello(serverNames("2001:DB8:0::7")), known("2001:db8::7")},
		{"two records", records(message(serverNames("a.example")), 40), known("a.example")},
		{"records of a byte", records(message(serverNames("a.example")), 1), known("a.example")},
		{"longer than a record", records(message(big, serverNames("a.example")), 1<<14), known("a.example")},
		{"2000 extensions", hello(append(manyExtensions, serverNames("a.example"))...), known("a.example")},
		{"version of a record", append([]byte{22, 3, 9}, hello(serverNames("a.example"))[3:]...), known("a.example")},
		{"SSLv2", sslv2(0, 2), known("")},
		{"SSLv2 for TLS 1.2", sslv2(3, 3), known("")},

		{"two names", hello(serverNames("a.example", "b.example")), malformed("two server names")},
		{"extension twice", hello(serverNames("a.example"), serverNames("b.example")), malformed("extension twice in the ClientHello")},
		{"unknown extension twice", hello(grease, grease), malformed("extension twice in the ClientHello")},
		{"2000 extensions and one again", hello(append(manyExtensions, manyExtensions[1999])...), malformed("extension twice in the ClientHello")},
		{"NUL in the name", hello(serverNames("a.example\x00.b.example")), malformed("server name that is no host name")},
		{"empty label", hello(serverNames("a..example")), malformed("server name that is no host name")},
		{"only a dot", hello(serverNames(".")), malformed("server name that is no host name")},
		{"wildcard", hello(serverNames("*.example")), malformed("server name that is no host name")},
		{"8 bits", hello(serverNames("\xe9.example")), malformed("server name that is no host name")},
		{"long label", hello(serverNames(string(bytes.Repeat([]byte("a"), 64)) + ".example")), malformed("server name that is no host name")},
		{"long name", hello(serverNames(string(bytes.Repeat([]byte("a."), 127)) + "a")), malformed("server name too long")},
		{"empty name", hello(serverNames("")), malformed("server name cut short")},
		{"no name in the list", hello(serverNames()), malformed("server name cut short")},
		{"bytes behind the name list", hello(extension{0, append(serverNames("a.example").content, 0)}), malformed("server name cut short")},
		{"empty ALPN list", hello(alpn()), malformed("ALPN cut short")},
		{"empty ALPN name", hello(alpn("h2", "")), malformed("ALPN cut short")},
		{"message too short", cut(hello(serverNames("a.example"))), malformed("ClientHello cut short")},
		{"another record within", append(hello(serverNames("a.example"))[:0:0], append(records(message(serverNames("a.example"))[:20], 20), 21, 3, 1, 0, 2, 1, 0)...), malformed("something else amid the records of a ClientHello")},
		{"empty record within", append(records(message(serverNames("a.example"))[:20], 20), 22, 3, 1, 0, 0), malformed("something else amid the records of a ClientHello")},

		{"longer than allowed", records(append([]byte{1, 1, 0, 0}, make([]byte, 100)...), 1<<14), head.Head{Status: head.TooLong, Protocol: head.TLS, Reason: "ClientHello longer than the limit"}},
		{"longer than the limit", records(message(extension{51, make([]byte, 65300)}), 1<<8), head.Head{Status: head.TooLong, Protocol: head.TLS, Reason: "head longer than the limit"}},

		{"ServerHello", append([]byte{22, 3, 1, 0, 4, 2, 0, 0, 0}, 1), head.Head{Status: head.Unknown, Protocol: head.Other}},
		{"record too long", []byte{22, 3, 1, 0x40, 1, 1}, head.Head{Status: head.Unknown, Protocol: head.Other}},
		{"empty record", []byte{22, 3, 1, 0, 0, 1}, head.Head{Status: head.Unknown, Protocol: head.Other}},
		{"alert", []byte{21, 3, 1, 0, 2, 1, 0}, head.Head{Status: head.Unknown, Protocol: head.Other}},
		{"SSLv2 with a short challenge", sslv2Challenge(15), head.Head{Status: head.Unknown, Protocol: head.Other}},
		{"SSLv2 with a long challenge", sslv2Challenge(33), head.Head{Status: head.Unknown, Protocol: head.Other}},
		{"SSLv2 with odd ciphers", append([]byte{0x80, 0x20, 1, 0, 2, 0, 5}, make([]byte, 30)...), head.Head{Status: head.Unknown, Protocol: head.Other}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := parse(t, test.bytes)
			if h.Status != test.want.Status || h.Protocol != test.want.Protocol || h.SNI != test.want.SNI || h.Reason != test.want.Reason {
				t.Errorf("got %+v", h)
			}
			if h.Status == head.Known && h.Size != len(test.bytes) {
				t.Errorf("size %d of %d", h.Size, len(test.bytes))
			}
			compareHello(t, test.bytes)
		})
	}
}

// stricter is why this package refuses hellos that crypto/tls takes.
var stricter = []string{
	"server name that is no host name",
	"server name too long",
	"session ID longer than 32 bytes",
	// crypto/tls drops warnings between records.
	"something else amid the records of a ClientHello",
	"head longer than the limit",
}

// compareHello compares with crypto/tls. It looks into parts of a hello that this
// package doesn't, so that only what it takes has to be taken here.
func compareHello(t *testing.T, b []byte) {
	t.Helper()
	info, err := goHello(b)
	if err != nil || b[1] != 3 {
		return
	}
	var p head.Parser
	p.Parse(b)
	h := p.Head()
	if h.Status == head.Malformed || h.Status == head.TooLong {
		if !slices.Contains(stricter, h.Reason) {
			t.Errorf("crypto/tls takes what is malformed here: %s\n%x", h.Reason, b)
		}
		return
	}
	name, ok := head.Name(info.ServerName)
	if info.ServerName != "" && !ok {
		t.Errorf("server name %q was taken", info.ServerName)
	}
	if h.Status != head.Known || h.Protocol != head.TLS || h.SNI != name || !slices.Equal(h.ALPN, info.SupportedProtos) {
		t.Errorf("got %+v, crypto/tls %q %q\n%x", h, info.ServerName, info.SupportedProtos, b)
	}
}

func FuzzClientHello(f *testing.F) {
	for _, b := range [][]byte{
		hello(versions(), serverNames("a.example"), alpn("h2", "http/1.1")),
		records(message(versions(), serverNames("a.example")), 30),
		hello(extension{0x0a0a, nil}, extension{0xfe0d, []byte{0, 0, 1, 0, 1, 7, 0, 0, 0, 0}}),
		realHello(f, &tls.Config{ServerName: "www.example.org", NextProtos: []string{"h2"}}),
		realHello(f, &tls.Config{ServerName: "a.example", MaxVersion: tls.VersionTLS12}),
		sslv2(3, 1),
	} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 2 {
			return
		}
		compareHello(t, b)
		compareSplits(t, b)
	})
}
