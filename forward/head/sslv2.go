package head

import "encoding/binary"

// sslv2Header is the fixed part of an SSLv2 CLIENT-HELLO: a record header of two
// bytes, type, version and three lengths (RFC 5246 appendix E.2).
const sslv2Header = 11

// recogniseSSLv2 recognises the hello of old clients, which may ask for a modern
// version in it. The record header's first bit says that there is no padding.
func recogniseSSLv2(_ *Parser, b []byte) answer {
	switch {
	case b[0]&0x80 == 0:
		return no
	case len(b) > 2 && b[2] != 1:
		return no
	case len(b) > 3 && b[3] != 0 && b[3] != 3:
		return no
	case len(b) > 4 && b[3] == 0 && b[4] != 2:
		return no
	case len(b) < sslv2Header:
		return maybe
	}
	record := int(binary.BigEndian.Uint16(b) &^ 0x8000)
	ciphers := int(binary.BigEndian.Uint16(b[5:]))
	session := int(binary.BigEndian.Uint16(b[7:]))
	challenge := int(binary.BigEndian.Uint16(b[9:]))
	if ciphers == 0 || ciphers%3 != 0 || session != 0 && session != 16 || challenge < 16 || challenge > 32 ||
		record != sslv2Header-2+ciphers+session+challenge {
		return no
	}
	return yes
}

// parseSSLv2 waits for the whole hello. It has no extensions, so it names nothing.
func parseSSLv2(p *Parser, b []byte) Status {
	n := 2 + int(binary.BigEndian.Uint16(b)&^0x8000)
	if len(b) < n {
		return More
	}
	return p.known(n)
}
