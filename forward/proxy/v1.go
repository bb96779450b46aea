package proxy

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"
)

// v1Signature is what headers of version 1 begin with; the blank is part of it.
const v1Signature = "PROXY "

// maxV1 is the longest header of version 1, its end included (specification 2.1).
const maxV1 = 107

// families are the protocols of version 1 that carry addresses.
var families = map[string]func(netip.Addr) bool{
	"TCP4": netip.Addr.Is4,
	"TCP6": netip.Addr.Is6,
}

func parseV1(b []byte) (Header, int, error) {
	if err := signature(b, v1Signature); err != nil {
		return Header{}, 0, err
	}
	end := bytes.IndexAny(b[:min(len(b), maxV1)], "\r\n")
	switch {
	case end < 0 && len(b) < maxV1, end == len(b)-1 && b[end] == '\r' && end < maxV1-1:
		return Header{}, 0, ErrShort
	case end < 0 || end == maxV1-1 && b[end] == '\r':
		return malformed("longer than 107 bytes")
	case b[end] != '\r' || b[end+1] != '\n':
		return malformed("line does not end in CR LF")
	}
	h := Header{Version: V1}
	if reason := h.parseLine(string(b[len(v1Signature):end])); reason != "" {
		return malformed(reason)
	}
	return h, end + len("\r\n"), nil
}

// parseLine reads PROTOCOL SP SOURCE SP DESTINATION SP SPORT SP DPORT. Whatever
// follows UNKNOWN is to be ignored.
func (h *Header) parseLine(line string) (reason string) {
	protocol, rest, _ := strings.Cut(line, " ")
	if protocol == "UNKNOWN" {
		return ""
	}
	fits, ok := families[protocol]
	if !ok {
		return "unknown protocol"
	}
	words := strings.Split(rest, " ")
	if len(words) != 4 {
		return "not two addresses and two ports"
	}
	h.Source, ok = endpoint(words[0], words[2], fits)
	if ok {
		h.Destination, ok = endpoint(words[1], words[3], fits)
	}
	if !ok {
		return "bad address or port"
	}
	return ""
}

func endpoint(address, port string, fits func(netip.Addr) bool) (netip.AddrPort, bool) {
	addr, err := netip.ParseAddr(address)
	if err != nil || !fits(addr) || addr.Zone() != "" {
		return netip.AddrPort{}, false
	}
	if len(port) > 1 && port[0] == '0' || port != "" && (port[0] < '0' || port[0] > '9') {
		return netip.AddrPort{}, false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(n)), true
}

// appendV1 can convey a pair of addresses of one family, and says UNKNOWN otherwise.
func (h *Header) appendV1(dst []byte) []byte {
	dst = append(dst, v1Signature...)
	source, destination, family := h.endpoints()
	if family == familyNone {
		return append(dst, "UNKNOWN\r\n"...)
	}
	dst = append(dst, "TCP4 "...)
	if family == familyIPv6 {
		dst[len(dst)-2] = '6'
	}
	dst = append(source.Addr().AppendTo(dst), ' ')
	dst = append(destination.Addr().AppendTo(dst), ' ')
	dst = append(strconv.AppendUint(dst, uint64(source.Port()), 10), ' ')
	dst = strconv.AppendUint(dst, uint64(destination.Port()), 10)
	return append(dst, "\r\n"...)
}
