package head

import (
	"net/netip"
	"strings"
)

// maxName is the longest host name in text form (RFC 1035 2.3.4).
const maxName = 253

// Name returns a host name in the form that names are compared in: lower case,
// without the dot at the end, IP addresses as [netip.Addr] prints them (IPv6 with or
// without brackets). Letters, digits, hyphens and underscores make a name; others
// have to be in their xn-- form.
func Name(s string) (name string, ok bool) {
	if addr, ok := address(s); ok {
		return addr, true
	}
	s = strings.TrimSuffix(s, ".")
	if s == "" || len(s) > maxName {
		return "", false
	}
	label := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '.':
			if label == 0 || label > 63 {
				return "", false
			}
			label = 0
			continue
		case !nameByte(c):
			return "", false
		}
		label++
	}
	if label == 0 || label > 63 {
		return "", false
	}
	return strings.ToLower(s), true
}

func nameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

// address normalises an IP address. Only what ends in a digit or has a colon can be
// one, which spares names the attempt.
func address(s string) (string, bool) {
	if s == "" {
		return "", false
	}
	if s[0] == '[' && s[len(s)-1] == ']' {
		s = s[1 : len(s)-1]
		if !strings.Contains(s, ":") {
			return "", false
		}
	}
	if last := s[max(len(s)-1, 0):]; !strings.Contains(s, ":") && (last < "0" || last > "9") {
		return "", false
	}
	addr, err := netip.ParseAddr(s)
	if err != nil || addr.Zone() != "" {
		return "", false
	}
	return addr.String(), true
}

// splitPort cuts the port off an authority's host (RFC 3986 3.2). The port may be
// missing or empty; it has to be a number.
func splitPort(s string) (host, port string, ok bool) {
	colon := strings.LastIndexByte(s, ':')
	if colon < 0 || strings.HasSuffix(s, "]") {
		return s, "", true
	}
	host, port = s[:colon], s[colon+1:]
	if len(port) > 5 || strings.Trim(port, "0123456789") != "" {
		return "", "", false
	}
	// An IPv6 address without brackets is ambiguous.
	if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
		return "", "", false
	}
	return host, port, true
}
