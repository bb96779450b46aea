package head

import "strings"

// resolve finds host and path of a request whose lines have been read, as a server
// has to (RFC 9112 3.2), and refuses it where servers differ.
func (h *Head) resolve(minor byte) (reason string) {
	authority, reason := h.splitTarget()
	if reason != "" {
		return reason
	}
	field, n := h.hostField()
	switch {
	case n > 1:
		return "more than one Host"
	case n == 0 && minor > 0:
		return "no Host"
	}
	host, _, ok := hostPort(field)
	if !ok {
		return "bad Host"
	}
	if h.Host = host; authority == "" {
		return ""
	}
	if h.Host, _, ok = hostPort(authority); !ok {
		return "bad host in the request target"
	}
	// RFC 9112 3.2.2 lets the target win. Not every server does.
	if n == 1 && host != h.Host {
		return "Host differs from the request target"
	}
	return ""
}

// splitTarget reads the four forms of a target (RFC 9112 3.2) and returns the
// authority of those that have one.
func (h *Head) splitTarget() (authority, reason string) {
	if strings.Contains(h.Target, "#") {
		return "", "fragment in the request target"
	}
	switch {
	case h.Method == "CONNECT":
		if _, port, ok := splitPort(h.Target); !ok || port == "" {
			return "", "CONNECT without host and port"
		}
		return h.Target, ""
	case h.Target == "*":
		if h.Method != "OPTIONS" {
			return "", "target * of another method than OPTIONS"
		}
		return "", ""
	case h.Target[0] == '/':
		return "", h.splitPath(h.Target)
	}
	scheme, rest, ok := strings.Cut(h.Target, "://")
	if !ok || !isScheme(scheme) {
		return "", "bad request target"
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	if end == 0 {
		return "", "bad host in the request target"
	}
	path := rest[end:]
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return rest[:end], h.splitPath(path)
}

// isScheme checks against RFC 3986 3.1.
func isScheme(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || !digit(c) && c != '+' && c != '-' && c != '.') {
			return false
		}
	}
	return s != ""
}

func (h *Head) hostField() (value string, n int) {
	for i := range h.Fields {
		if strings.EqualFold(h.Fields[i].Name, "Host") {
			value = h.Fields[i].Value
			n++
		}
	}
	return value, n
}

// hostPort normalises host and port of an authority. An empty one is allowed: it
// is what clients send for a URI that has none.
func hostPort(s string) (host, port string, ok bool) {
	if s == "" {
		return "", "", true
	}
	host, port, ok = splitPort(s)
	if !ok {
		return "", "", false
	}
	host, ok = Name(host)
	return host, port, ok
}

func (h *Head) splitPath(raw string) (reason string) {
	raw, h.Query, _ = strings.Cut(raw, "?")
	var ok bool
	if h.Path, ok = Path(raw); !ok {
		return "bad path"
	}
	return ""
}

// Path returns a path in the form that paths are compared in: percent-decoded, once,
// without dot segments and empty segments. Otherwise //admin or /%61dmin would get past
// a rule about /admin. A path that climbs above the root is refused, not cut.
func Path(raw string) (path string, ok bool) {
	if !strings.HasPrefix(raw, "/") {
		return "", false
	}
	if strings.Contains(raw, "%") {
		if raw, ok = unescape(raw); !ok {
			return "", false
		}
	}
	if !strings.Contains(raw, "//") && !strings.Contains(raw, "/.") {
		return raw, true
	}
	var out []string
	segments := strings.Split(raw[1:], "/")
	for i, s := range segments {
		last := i == len(segments)-1
		switch {
		case s == "..":
			if len(out) == 0 {
				return "", false
			}
			out = out[:len(out)-1]
		case s != "." && s != "":
			out = append(out, s)
			continue
		}
		if last {
			out = append(out, "") // the path names a directory
		}
	}
	return "/" + strings.Join(out, "/"), true
}

// unescape decodes %XX. An encoded NUL is refused: it ends strings elsewhere.
func unescape(s string) (string, bool) {
	var out strings.Builder
	out.Grow(len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' {
			if i+2 >= len(s) {
				return "", false
			}
			high, ok1 := unhex(s[i+1])
			low, ok2 := unhex(s[i+2])
			if c = high<<4 | low; !ok1 || !ok2 || c == 0 {
				return "", false
			}
			i += 2
		}
		out.WriteByte(c)
	}
	return out.String(), true
}

func unhex(c byte) (byte, bool) {
	switch {
	case digit(c):
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
