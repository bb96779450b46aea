package proxy

import (
	"fmt"
	"net/netip"
)

// Append appends the header to dst, in the version it names. A header without two
// addresses of one family says that the proxy speaks for itself: UNKNOWN in version 1,
// LOCAL in version 2.
func (h *Header) Append(dst []byte) ([]byte, error) {
	switch h.Version {
	case V1:
		return h.appendV1(dst), nil
	case V2:
		return h.appendV2(dst)
	}
	return nil, fmt.Errorf("write PROXY header: no version %d", h.Version)
}

// endpoints returns the addresses as they are written: IPv4 that a socket for both
// families showed as IPv6 is IPv4 again, zones, which mean nothing elsewhere, are gone.
func (h *Header) endpoints() (source, destination netip.AddrPort, family byte) {
	source, destination = plain(h.Source), plain(h.Destination)
	switch s, d := source.Addr(), destination.Addr(); {
	case h.Local:
	case s.Is4() && d.Is4():
		return source, destination, familyIPv4
	case s.Is6() && d.Is6():
		return source, destination, familyIPv6
	}
	return source, destination, familyNone
}

func plain(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

// hopsMark tells our TLV from another application's of the same type.
const hopsMark = "waggle"

// Hops returns how many forwarders of ours the connection went through, according to
// a header of version 2. One that comes back to where it was, or counts too many, is
// in a loop.
func (h *Header) Hops() int {
	for _, t := range h.TLVs {
		if t.Type == typeHops && len(t.Value) == len(hopsMark)+1 && string(t.Value[:len(hopsMark)]) == hopsMark {
			return int(t.Value[len(hopsMark)])
		}
	}
	return 0
}

// SetHops makes the header tell a number of hops, at most 255.
func (h *Header) SetHops(n int) {
	value := append([]byte(hopsMark), byte(min(max(n, 0), 255)))
	for i, t := range h.TLVs {
		if t.Type == typeHops && len(t.Value) == len(value) && string(t.Value[:len(hopsMark)]) == hopsMark {
			h.TLVs[i].Value = value
			return
		}
	}
	h.TLVs = append(h.TLVs, TLV{typeHops, value})
}
