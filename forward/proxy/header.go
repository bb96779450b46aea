// Package proxy reads and writes the PROXY protocol, version 1 (a line of text) and 2
// (binary), by which a proxy tells who it speaks for:
// https://www.haproxy.org/download/3.4/doc/proxy-protocol.txt, called "the
// specification" below.
//
// It works on byte slices and does no input or output. Reading is strict and can be
// repeated as bytes arrive; whose headers to believe is a [Policy]:
//
//	header, n, err := policy.Read(peer, buf, proxy.Open)
//	switch {
//	case errors.Is(err, proxy.ErrShort):
//		// read more, then try again
//	case err != nil:
//		// refuse the connection
//	default:
//		// header.Source, if valid, is the client; its bytes are buf[n:]
//	}
package proxy

import (
	"errors"
	"net/netip"
)

// Version is a version of the protocol.
type Version int

// The versions.
const (
	V1 Version = 1
	V2 Version = 2
)

// Header is what a PROXY header says. The zero value is that of no header.
type Header struct {
	Version Version

	// Local is set if the proxy speaks for itself, as for a health check (LOCAL).
	Local bool

	// Source is the client, Destination the address it connected to. Both are
	// invalid if the header doesn't tell: a local one, UNKNOWN, or one about
	// something else than TCP.
	Source, Destination netip.AddrPort

	TLVs []TLV // of version 2, without the checksum and padding
}

// TLV is an extension of a header of version 2.
type TLV struct {
	Type  Type
	Value []byte
}

// Type is what a TLV is about.
type Type uint8

// Types of section 2.2 of the specification.
const (
	TypeALPN      Type = 0x01
	TypeAuthority Type = 0x02 // the server name the client asked for
	TypeCRC32C    Type = 0x03
	TypeNoop      Type = 0x04
	TypeUniqueID  Type = 0x05
	TypeSSL       Type = 0x20
	TypeNetns     Type = 0x30

	// typeHops is one of those for applications (0xE0 to 0xEF): see Header.Hops.
	typeHops Type = 0xE9
)

// ErrShort says that more bytes are needed.
var ErrShort = errors.New("PROXY header cut short")

// ErrAbsent says that the bytes are not the beginning of a PROXY header.
var ErrAbsent = errors.New("no PROXY header")

// Malformed is the error of bytes that begin as a PROXY header and go on otherwise.
type Malformed struct{ Reason string }

func (m *Malformed) Error() string { return "malformed PROXY header: " + m.Reason }

// Parse reads the header at the front of b, which takes up n bytes. If there is none,
// or none yet, the error is ErrShort, ErrAbsent or a *Malformed, and remains the same
// (but for ErrShort) with more bytes. The header refers to nothing in b.
func Parse(b []byte) (h Header, n int, err error) {
	switch {
	case len(b) == 0:
		return Header{}, 0, ErrShort
	case b[0] == v1Signature[0]:
		return parseV1(b)
	case b[0] == v2Signature[0]:
		return parseV2(b)
	}
	return Header{}, 0, ErrAbsent
}

// signature compares the front of b with one.
func signature(b []byte, sig string) error {
	n := min(len(b), len(sig))
	if string(b[:n]) != sig[:n] {
		return ErrAbsent
	}
	if n < len(sig) {
		return ErrShort
	}
	return nil
}

// signed tells whether b begins with the whole of a signature.
func signed(b []byte) bool {
	return signature(b, v1Signature) == nil || signature(b, v2Signature) == nil
}

func malformed(reason string) (Header, int, error) { return Header{}, 0, &Malformed{reason} }
