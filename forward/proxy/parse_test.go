package proxy_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	proxyproto "github.com/pires/go-proxyproto"

	"github.com/waggle-bpf/waggle/forward/proxy"
)

const signature = "\r\n\r\n\x00\r\nQUIT\n"

// v2 makes a header of version 2 by hand.
func v2(command, family byte, content string) string {
	size := binary.BigEndian.AppendUint16(nil, uint16(len(content)))
	return signature + string([]byte{command, family}) + string(size) + content
}

func tlv(kind byte, value string) string {
	return string(binary.BigEndian.AppendUint16([]byte{kind}, uint16(len(value)))) + value
}

// summed fills in the checksum, which is the last TLV of a header.
func summed(header string) string {
	b := []byte(header)
	sum := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
	binary.BigEndian.PutUint32(b[len(b)-4:], sum)
	return string(b)
}

// twice makes the first of two checksums right.
func twice(header string) string {
	b := []byte(header)
	binary.BigEndian.PutUint32(b[len(b)-11:], crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	return string(b)
}

const (
	v4 = "\xc0\x00\x02\x01\xc6\x33\x64\x02\x01\xbb\xff\xff" // 192.0.2.1:443 198.51.100.2:65535
	v6 = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" + "\xfd\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02" + "\x00\x01\x00\x50"
)

func addr(s string) netip.AddrPort {
	if s == "" {
		return netip.AddrPort{}
	}
	return netip.MustParseAddrPort(s)
}

func TestParse(t *testing.T) {
	type header = proxy.Header
	for _, test := range []struct {
		name, bytes string
		want        header
		err         string
	}{
		{name: "TCP4", bytes: "PROXY TCP4 192.0.2.1 198.51.100.2 443 65535\r\n", want: header{Version: 1, Source: addr("192.0.2.1:443"), Destination: addr("198.51.100.2:65535")}},
		{name: "TCP6", bytes: "PROXY TCP6 2001:db8::1 fd00::2 1 80\r\n", want: header{Version: 1, Source: addr("[2001:db8::1]:1"), Destination: addr("[fd00::2]:80")}},
		{name: "TCP6 for IPv4", bytes: "PROXY TCP6 ::ffff:192.0.2.1 ::ffff:c633:6402 1 80\r\n", want: header{Version: 1, Source: addr("192.0.2.1:1"), Destination: addr("198.51.100.2:80")}},
		{name: "port 0", bytes: "PROXY TCP4 192.0.2.1 198.51.100.2 0 0\r\n", want: header{Version: 1, Source: addr("192.0.2.1:0"), Destination: addr("198.51.100.2:0")}},
		{name: "UNKNOWN", bytes: "PROXY UNKNOWN\r\n", want: header{Version: 1}},
		{name: "UNKNOWN and anything", bytes: "PROXY UNKNOWN \x00 TCP4\r\n", want: header{Version: 1}},
		{name: "longest", bytes: "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", want: header{Version: 1}},

		{name: "a byte too long", bytes: "PROXY UNKNOWN fffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n", err: "longer than 107 bytes"},
		{name: "no end", bytes: "PROXY UNKNOWN " + strings.Repeat("x", 93), err: "longer than 107 bytes"},
		{name: "LF", bytes: "PROXY TCP4 192.0.2.1 198.51.100.2 1 2\n", err: "line does not end in CR LF"},
		{name: "CR only", bytes: "PROXY TCP4 192.0.2.1 198.51.100.2 1 2\rx", err: "line does not end in CR LF"},
		{name: "CR in what is ignored", bytes: "PROXY UNKNOWN \rx\r\n", err: "line does not end in CR LF"},
		{name: "no protocol", bytes: "PROXY \r\n", err: "unknown protocol"},
		{name: "lower case", bytes: "PROXY tcp4 192.0.2.1 198.51.100.2 1 2\r\n", err: "unknown protocol"},
		{name: "two blanks", bytes: "PROXY TCP4  192.0.2.1 198.51.100.2 1 2\r\n", err: "not two addresses and two ports"},
		{name: "blank at the end", bytes: "PROXY TCP4 192.0.2.1 198.51.100.2 1 2 \r\n", err: "not two addresses and two ports"},
		{name: "no ports", bytes: "PROXY TCP4 192.0.2.1 198.51.100.2\r\n", err: "not two addresses and two ports"},
		{name: "IPv6 in TCP4", bytes: "PROXY TCP4 ::1 198.51.100.2 1 2\r\n", err: "bad address or port"},
		{name: "IPv4 in TCP6", bytes: "PROXY TCP6 ::1 198.51.100.2 1 2\r\n", err: "bad address or port"},
		{name: "leading zeros", bytes: "PROXY TCP4 192.0.02.1 198.51.100.2 1 2\r\n", err: "bad address or port"},
		{name: "zero before the port", bytes: "PROXY TCP4 192.0.2.1 198.51.100.2 01 2\r\n", err: "bad address or port"},
		{name: "sign", bytes: "PROXY TCP4 192.0.2.1 198.51.100.2 +1 2\r\n", err: "bad address or port"},
		{name: "port 65536", bytes: "PROXY TCP4 192.0.2.1 198.51.100.2 1 65536\r\n", err: "bad address or port"},
		{name: "empty port", bytes: "PROXY TCP4 192.0.2.1 198.51.100.2 1 \r\n", err: "bad address or port"},
		{name: "zone", bytes: "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", err: "bad address or port"},

		{name: "v2 IPv4", bytes: v2(0x21, 0x11, v4), want: header{Version: 2, Source: addr("192.0.2.1:443"), Destination: addr("198.51.100.2:65535")}},
		{name: "v2 IPv6", bytes: v2(0x21, 0x21, v6), want: header{Version: 2, Source: addr("[2001:db8::1]:1"), Destination: addr("[fd00::2]:80")}},
		{name: "v2 UDP", bytes: v2(0x21, 0x12, v4), want: header{Version: 2}},
		{name: "v2 Unix", bytes: v2(0x21, 0x31, strings.Repeat("\x00", 216)), want: header{Version: 2}},
		{name: "v2 unspecified", bytes: v2(0x21, 0, ""), want: header{Version: 2}},
		{name: "v2 local", bytes: v2(0x20, 0, ""), want: header{Version: 2, Local: true}},
		{name: "v2 local with addresses", bytes: v2(0x20, 0x11, v4), want: header{Version: 2, Local: true}},
		{name: "v2 local with anything", bytes: v2(0x20, 0x21, "x"), want: header{Version: 2, Local: true}},
		{name: "v2 TLVs", bytes: v2(0x21, 0x11, v4+tlv(2, "a.example")+tlv(4, "\x00\x00")+tlv(5, "")), want: header{Version: 2, Source: addr("192.0.2.1:443"), Destination: addr("198.51.100.2:65535"),
			TLVs: []proxy.TLV{{Type: proxy.TypeAuthority, Value: []byte("a.example")}, {Type: proxy.TypeUniqueID}}}},
		{name: "v2 checksum", bytes: summed(v2(0x21, 0x11, v4+tlv(1, "h2")+tlv(3, "\x00\x00\x00\x00"))), want: header{Version: 2, Source: addr("192.0.2.1:443"), Destination: addr("198.51.100.2:65535"),
			TLVs: []proxy.TLV{{Type: proxy.TypeALPN, Value: []byte("h2")}}}},
		{name: "v2 longest", bytes: v2(0x21, 0x11, v4+tlv(4, strings.Repeat("x", 4096-12-3))), want: header{Version: 2, Source: addr("192.0.2.1:443"), Destination: addr("198.51.100.2:65535")}},

		{name: "v2 too long", bytes: v2(0x21, 0x11, v4+tlv(4, strings.Repeat("x", 4096-12-2))), err: "longer than 4096 bytes"},
		{name: "v2 version 3", bytes: v2(0x31, 0x11, v4), err: "unknown version or command"},
		{name: "v2 command 2", bytes: v2(0x22, 0x11, v4), err: "unknown version or command"},
		{name: "v2 family 4", bytes: v2(0x21, 0x41, v4), err: "unknown address family or transport"},
		{name: "v2 transport 3", bytes: v2(0x21, 0x13, v4), err: "unknown address family or transport"},
		{name: "v2 IPv4 without transport", bytes: v2(0x21, 0x10, v4), err: "unknown address family or transport"},
		{name: "v2 short addresses", bytes: v2(0x21, 0x11, v4[:11]), err: "too short for its addresses"},
		{name: "v2 short TLV header", bytes: v2(0x21, 0x11, v4+"\x02\x00"), err: "TLV cut short"},
		{name: "v2 short TLV", bytes: v2(0x21, 0x11, v4+"\x02\x00\x02x"), err: "TLV cut short"},
		{name: "v2 wrong checksum", bytes: v2(0x21, 0x11, v4+tlv(3, "\x00\x00\x00\x01")), err: "wrong checksum"},
		{name: "v2 short checksum", bytes: v2(0x21, 0x11, v4+tlv(3, "\x00\x00\x00")), err: "bad checksum TLV"},
		{name: "v2 two checksums", bytes: twice(v2(0x21, 0x11, v4+tlv(3, "\x00\x00\x00\x00")+tlv(3, "\x00\x00\x00\x00"))), err: "bad checksum TLV"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, behind := range []string{"", "\r\nPROXY x"} {
				h, n, err := proxy.Parse([]byte(test.bytes + behind))
				var bad *proxy.Malformed
				if test.err != "" {
					if !errors.As(err, &bad) || bad.Reason != test.err || n != 0 {
						t.Fatalf("got %d, %v", n, err)
					}
					continue
				}
				if err != nil || n != len(test.bytes) {
					t.Fatalf("got %d, %v", n, err)
				}
				if diff := cmp.Diff(test.want, h, cmpopts.EquateComparable(netip.AddrPort{}), cmpopts.EquateEmpty()); diff != "" {
					t.Error(diff)
				}
			}
			monotone(t, []byte(test.bytes))
			compare(t, []byte(test.bytes))
		})
	}
}

func TestAbsent(t *testing.T) {
	for s, want := range map[string]error{
		"": proxy.ErrShort, "P": proxy.ErrShort, "PROXY": proxy.ErrShort, "PROXY ": proxy.ErrShort, "PROXY TCP4 1\r": proxy.ErrShort,
		"\r": proxy.ErrShort, signature: proxy.ErrShort, signature + "\x21\x11\x00": proxy.ErrShort, v2(0x21, 0x11, v4)[:27]: proxy.ErrShort,
		"G": proxy.ErrAbsent, "PO": proxy.ErrAbsent, "PROXY\t": proxy.ErrAbsent, "PROXYFOO / HTTP/1.1": proxy.ErrAbsent, "proxy ": proxy.ErrAbsent,
		"\r\nG": proxy.ErrAbsent, "\r\n\r\n\x00\r\nQUIT\r": proxy.ErrAbsent, "\x16\x03": proxy.ErrAbsent,
	} {
		if _, n, err := proxy.Parse([]byte(s)); err != want || n != 0 {
			t.Errorf("%q: got %d, %v", s, n, err)
		}
		monotone(t, []byte(s))
	}
}

// monotone checks that what Parse says about a prefix, but for ErrShort, is what it
// says about all of it.
func monotone(t *testing.T, b []byte) {
	t.Helper()
	whole, size, final := proxy.Parse(b)
	for i := range b {
		h, n, err := proxy.Parse(b[:i])
		if err == proxy.ErrShort {
			continue
		}
		if n != size || !same(h, whole) || text(err) != text(final) {
			t.Fatalf("%q: %+v, %d, %v with %d bytes, %+v, %d, %v with all", b, h, n, err, i, whole, size, final)
		}
	}
}

func same(a, b proxy.Header) bool {
	return cmp.Equal(a, b, cmpopts.EquateComparable(netip.AddrPort{}), cmpopts.EquateEmpty())
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// compare compares with go-proxyproto, which knows no difference between too few bytes
// and wrong ones, and no checksum.
func compare(t *testing.T, b []byte) {
	t.Helper()
	h, n, err := proxy.Parse(b)
	reader := bufio.NewReaderSize(bytes.NewReader(b), 1<<17)
	theirs, theirErr := proxyproto.Read(reader)
	var tlvs []proxyproto.TLV
	if theirErr == nil && !theirs.Command.IsLocal() {
		tlvs, theirErr = theirs.TLVs()
	}
	unspecified := err == nil && h.Version == 2 && !h.Local && b[13] == 0 // the specification leaves it open; they refuse it
	checksum := err != nil && strings.Contains(err.Error(), "checksum")
	cr := bytes.Count(b, []byte("\r")) > 1 && strings.HasSuffix(text(err), "CR LF") // they look for LF
	switch {
	case unspecified || checksum || cr:
		return
	case (err == nil) != (theirErr == nil):
		t.Fatalf("%q: got %v, go-proxyproto %v", b, err, theirErr)
	case err != nil:
		return
	}
	left, _ := io.Copy(io.Discard, reader)
	local := h.Local || h.Version == 1 && !h.Source.IsValid()
	if int(left) != len(b)-n || int(theirs.Version) != int(h.Version) || theirs.Command.IsLocal() != local {
		t.Fatalf("%q: got %+v, %d bytes; go-proxyproto %+v, %d left", b, h, n, theirs, left)
	}
	if source, destination, ok := theirs.TCPAddrs(); ok && !local {
		if unmap(source) != h.Source || unmap(destination) != h.Destination {
			t.Errorf("%q: got %s %s, go-proxyproto %s %s", b, h.Source, h.Destination, source, destination)
		}
	} else if h.Source.IsValid() || h.Destination.IsValid() {
		t.Errorf("%q: got %s %s, go-proxyproto none", b, h.Source, h.Destination)
	}
	var want []proxy.TLV
	for _, tlv := range tlvs {
		if t := proxy.Type(tlv.Type); t != proxy.TypeNoop && t != proxy.TypeCRC32C {
			want = append(want, proxy.TLV{Type: t, Value: tlv.Value})
		}
	}
	if !cmp.Equal(want, h.TLVs, cmpopts.EquateEmpty()) {
		t.Errorf("%q: got %v, go-proxyproto %v", b, h.TLVs, want)
	}
}

func unmap(a *net.TCPAddr) netip.AddrPort {
	ap := a.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

func seeds(f *testing.F, prefix string) {
	for _, s := range []string{
		"PROXY TCP4 192.0.2.1 198.51.100.2 443 65535\r\nGET",
		"PROXY TCP6 2001:db8::1 ::ffff:1.2.3.4 1 80\r\n",
		"PROXY UNKNOWN anything\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n",
		v2(0x21, 0x11, v4) + "GET",
		v2(0x21, 0x21, v6+tlv(5, "id")),
		summed(v2(0x21, 0x11, v4+tlv(1, "h2")+tlv(3, "\x00\x00\x00\x00"))),
		v2(0x20, 0, "x"),
		v2(0x21, 0x31, strings.Repeat("\x00", 216)),
	} {
		if rest, ok := strings.CutPrefix(s, prefix); ok {
			f.Add([]byte(rest))
		}
	}
}

// FuzzV1 and FuzzV2 fuzz what is behind the signature.
func FuzzV1(f *testing.F) {
	seeds(f, "PROXY ")
	f.Fuzz(func(t *testing.T, b []byte) { check(t, append([]byte("PROXY "), b...)) })
}

func FuzzV2(f *testing.F) {
	seeds(f, signature)
	f.Fuzz(func(t *testing.T, b []byte) { check(t, append([]byte(signature), b...)) })
}

func check(t *testing.T, b []byte) {
	monotone(t, b[:min(len(b), 500)])
	compare(t, b)
	// What is read can be written, and then reads the same.
	h, _, err := proxy.Parse(b)
	if err != nil {
		return
	}
	written, err := h.Append(nil)
	if err != nil {
		if !strings.Contains(err.Error(), "TLVs longer") {
			t.Fatalf("%+v: %v", h, err)
		}
		return
	}
	again, n, err := proxy.Parse(written)
	if err != nil || n != len(written) {
		t.Fatalf("%+v, written as %q: %d, %v", h, written, n, err)
	}
	if !h.Source.IsValid() || h.Source.Addr().Is4() != h.Destination.Addr().Is4() {
		return // becomes UNKNOWN or LOCAL
	}
	if !same(h, again) {
		t.Errorf("%+v became %+v", h, again)
	}
}

func BenchmarkParse(b *testing.B) {
	for name, s := range map[string]string{
		"v1":     "PROXY TCP4 192.0.2.1 198.51.100.2 443 65535\r\n",
		"v2":     v2(0x21, 0x11, v4),
		"v2_tlv": summed(v2(0x21, 0x21, v6+tlv(2, "a.example")+tlv(3, "\x00\x00\x00\x00"))),
		"absent": "GET / HTTP/1.1\r\n",
	} {
		data := []byte(s)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _, _ = proxy.Parse(data)
			}
		})
	}
}
