package httpstream

import "bytes"

// tokenChars has a bit for every character of a token (RFC 9110 5.6.2).
var tokenChars = func() (set [256]bool) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789" +
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		set[c] = true
	}
	return set
}()

const version = "HTTP/1." // and one digit

// splitStartLine takes a start line apart. The method is a token and the
// version must be HTTP/1.x; the target is whatever lies between, for a listener
// reports even what a server will refuse.
func splitStartLine(line []byte) (method, target []byte, minor uint8, ok bool) {
	line = trimRight(line)
	blank := bytes.IndexByte(line, ' ')
	last := bytes.LastIndexByte(line, ' ')
	if blank <= 0 || last == blank || len(line) > MaxStartLine {
		return nil, nil, 0, false
	}
	method, target = line[:blank], trim(line[blank:last])
	minor, ok = parseVersion(line[last+1:])
	if !ok || len(target) == 0 || !isMethod(method) {
		return nil, nil, 0, false
	}
	return method, target, minor, true
}

func parseVersion(b []byte) (minor uint8, ok bool) {
	if len(b) != len(version)+1 || string(b[:len(version)]) != version {
		return 0, false
	}
	minor = b[len(version)] - '0'
	return minor, minor <= 9
}

func isMethod(b []byte) bool { return len(b) <= MaxMethod && tokenPrefix(b) == len(b) }

// tokenPrefix returns how many of the first bytes, of which no more than
// MaxMethod+1 are looked at, may be part of a token.
func tokenPrefix(b []byte) int {
	b = b[:min(len(b), MaxMethod+1)]
	for i, c := range b {
		if !tokenChars[c] {
			return i
		}
	}
	return len(b)
}

// canStart reports whether a line that is not complete may become a start line.
// It keeps a parser from gathering kilobytes of a protocol without lines.
func canStart(b []byte) bool {
	if string(b) == "\r" { // half of an empty line
		return true
	}
	n := tokenPrefix(b)
	return len(b) <= MaxStartLine+1 && n <= MaxMethod && (n == len(b) || n > 0 && b[n] == ' ')
}

// LooksLikeRequest reports whether b, the start of a TCP segment, may be the
// start of a request: a method and the first character of a target, or as much
// of that as there is. It is the test for where to begin in the middle of a
// connection.
func LooksLikeRequest(b []byte) bool {
	n := tokenPrefix(b)
	switch {
	case n == 0 || n > MaxMethod:
		return false
	case n == len(b):
		return true
	case b[n] != ' ':
		return false
	}
	return n+1 == len(b) || b[n+1] > ' ' && b[n+1] != 0x7f
}

// StartsRequest reports whether b begins with a whole start line.
func StartsRequest(b []byte) bool {
	end := bytes.IndexByte(b, '\n')
	if end < 0 {
		return false
	}
	_, _, _, ok := splitStartLine(bytes.TrimSuffix(b[:end], []byte{'\r'}))
	return ok
}

// absoluteAuthority returns the authority of a target in absolute form.
func absoluteAuthority(target []byte) ([]byte, bool) {
	if len(target) == 0 || target[0] == '/' {
		return nil, false
	}
	scheme, rest, ok := bytes.Cut(target, []byte("://"))
	if !ok || !isScheme(scheme) {
		return nil, false
	}
	if end := bytes.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	return rest[bytes.LastIndexByte(rest, '@')+1:], true
}

func isScheme(b []byte) bool {
	for _, c := range b {
		if !tokenChars[c] {
			return false
		}
	}
	return len(b) > 0
}

// parseDecimal reads digits only: no sign, no blanks. Values that do not fit
// into 63 bits are refused.
func parseDecimal(b []byte) (n uint64, ok bool) {
	for _, c := range b {
		d := c - '0'
		if d > 9 || n > (1<<63-1-uint64(d))/10 {
			return 0, false
		}
		n = n*10 + uint64(d)
	}
	return n, len(b) > 0
}

// parseChunkSize reads the size off a chunk-size line; extensions are ignored
// (RFC 9112 7.1).
func parseChunkSize(line []byte) (n uint64, ok bool) {
	digits := 0
	for ; digits < len(line); digits++ {
		d, hex := hexDigit(line[digits])
		if !hex {
			break
		}
		if n >= 1<<59 {
			return 0, false
		}
		n = n<<4 | uint64(d)
	}
	rest := trim(line[digits:])
	return n, digits > 0 && (len(rest) == 0 || rest[0] == ';')
}

func hexDigit(c byte) (d byte, ok bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// trim cuts blanks and tabs off both ends.
func trim(b []byte) []byte {
	for len(b) > 0 && isBlank(b[0]) {
		b = b[1:]
	}
	return trimRight(b)
}

func trimRight(b []byte) []byte {
	for len(b) > 0 && isBlank(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// equalFold compares with an ASCII word in lower case.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
