package proxy

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/netip"
)

// v2Signature is what headers of version 2 begin with.
const v2Signature = "\r\n\r\n\x00\r\nQUIT\n"

// The fixed part of a header (specification 2.2): signature, version and command,
// family and transport, length of the rest.
const (
	v2Command = len(v2Signature)
	v2Family  = v2Command + 1
	v2Length  = v2Family + 1
	v2Fixed   = v2Length + 2
	tlvHeader = 3
	crcSize   = 4
	maxV2     = 4096 // bytes after the fixed part; the specification allows 65535
)

// The commands, with the version's bits.
const (
	commandLocal = 0x20
	commandProxy = 0x21
)

// Families and transports, as the byte that has both.
const (
	familyNone = 0x00
	familyIPv4 = 0x11 // TCP over IPv4
	familyIPv6 = 0x21 // TCP over IPv6
)

// addressSizes are the families that there are, and how long their addresses are.
// The others are of datagrams and Unix sockets: nothing to us.
var addressSizes = map[byte]int{
	familyNone: 0,
	familyIPv4: 12, 0x12: 12,
	familyIPv6: 36, 0x22: 36,
	0x31: 216, 0x32: 216,
}

func parseV2(b []byte) (Header, int, error) {
	if err := signature(b, v2Signature); err != nil {
		return Header{}, 0, err
	}
	switch {
	case len(b) > v2Command && b[v2Command] != commandLocal && b[v2Command] != commandProxy:
		return malformed("unknown version or command")
	case len(b) < v2Fixed:
		return Header{}, 0, ErrShort
	}
	addresses, ok := addressSizes[b[v2Family]]
	if !ok {
		return malformed("unknown address family or transport")
	}
	local := b[v2Command] == commandLocal
	size := int(binary.BigEndian.Uint16(b[v2Length:]))
	switch {
	case size > maxV2:
		return malformed("longer than 4096 bytes")
	case size < addresses && !local:
		return malformed("too short for its addresses")
	case len(b) < v2Fixed+size:
		return Header{}, 0, ErrShort
	}
	h := Header{Version: V2, Local: local}
	// All of a local header's rest is to be skipped, whatever it is.
	if local {
		return h, v2Fixed + size, nil
	}
	whole := b[:v2Fixed+size]
	h.addresses(whole)
	if reason := h.parseTLVs(whole, v2Fixed+addresses); reason != "" {
		return malformed(reason)
	}
	return h, len(whole), nil
}

func (h *Header) addresses(header []byte) {
	b := header[v2Fixed:]
	switch header[v2Family] {
	case familyIPv4:
		h.Source = addrPort(netip.AddrFrom4([4]byte(b)), b[8:])
		h.Destination = addrPort(netip.AddrFrom4([4]byte(b[4:])), b[10:])
	case familyIPv6:
		h.Source = addrPort(netip.AddrFrom16([16]byte(b)), b[32:])
		h.Destination = addrPort(netip.AddrFrom16([16]byte(b[16:])), b[34:])
	}
}

func addrPort(addr netip.Addr, port []byte) netip.AddrPort {
	return netip.AddrPortFrom(addr.Unmap(), binary.BigEndian.Uint16(port))
}

// parseTLVs reads those of a whole header, which begin at an offset.
func (h *Header) parseTLVs(header []byte, at int) (reason string) {
	if at == len(header) {
		return ""
	}
	values := make([]byte, 0, len(header)-at) // what all of them share
	checked := false
	for at < len(header) {
		value, ok := tlvAt(header, at)
		if !ok {
			return "TLV cut short"
		}
		switch t := Type(header[at]); t {
		case TypeNoop:
		case TypeCRC32C:
			if checked || len(value) != crcSize {
				return "bad checksum TLV"
			}
			if checked = true; binary.BigEndian.Uint32(value) != checksum(header, at+tlvHeader) {
				return "wrong checksum"
			}
		default:
			n := len(values)
			values = append(values, value...)
			h.TLVs = append(h.TLVs, TLV{t, values[n:len(values):len(values)]})
		}
		at += tlvHeader + len(value)
	}
	return ""
}

func tlvAt(header []byte, at int) (value []byte, ok bool) {
	if len(header)-at < tlvHeader {
		return nil, false
	}
	n := int(binary.BigEndian.Uint16(header[at+1:]))
	at += tlvHeader
	if len(header)-at < n {
		return nil, false
	}
	return header[at : at+n], true
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is the CRC32c of a header whose checksum field, at an offset, counts as
// zero (specification 2.2.3).
func checksum(header []byte, field int) uint32 {
	var zero [crcSize]byte
	sum := crc32.Update(0, castagnoli, header[:field])
	sum = crc32.Update(sum, castagnoli, zero[:])
	return crc32.Update(sum, castagnoli, header[field+crcSize:])
}

// appendV2 always adds a checksum: readers that don't know it skip it.
func (h *Header) appendV2(dst []byte) ([]byte, error) {
	start := len(dst)
	source, destination, family := h.endpoints()
	command := byte(commandProxy)
	if family == familyNone {
		command = commandLocal
	}
	dst = append(dst, v2Signature...)
	dst = append(dst, command, family, 0, 0)
	if family != familyNone {
		dst = append(dst, source.Addr().AsSlice()...)
		dst = append(dst, destination.Addr().AsSlice()...)
		dst = binary.BigEndian.AppendUint16(dst, source.Port())
		dst = binary.BigEndian.AppendUint16(dst, destination.Port())
	}
	for _, t := range h.TLVs {
		if t.Type == TypeCRC32C || t.Type == TypeNoop {
			continue
		}
		if len(t.Value) > maxV2 {
			return nil, errTooLong
		}
		dst = append(dst, byte(t.Type))
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(t.Value)))
		dst = append(dst, t.Value...)
	}
	dst = append(dst, byte(TypeCRC32C), 0, crcSize, 0, 0, 0, 0)
	header := dst[start:]
	if len(header)-v2Fixed > maxV2 {
		return nil, errTooLong
	}
	binary.BigEndian.PutUint16(header[v2Length:], uint16(len(header)-v2Fixed))
	binary.BigEndian.PutUint32(header[len(header)-crcSize:], checksum(header, len(header)-crcSize))
	return dst, nil
}

var errTooLong = errors.New("write PROXY header: TLVs longer than 4096 bytes")
