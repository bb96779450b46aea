package head

import (
	"bytes"
	"strings"
)

// maxMethod bounds the first word of what may be a request line, so that other
// protocols made of text are told apart early. The longest registered is
// UPDATEREDIRECTREF.
const maxMethod = 32

// maxFields is how many field lines a head may have. Browsers send about 20.
const maxFields = 256

// phase is where in the request line recogniseHTTP is.
type phase uint8

const (
	blankLines phase = iota // RFC 9112 2.2: ignore empty lines before it
	inMethod
	inRest
)

// recogniseHTTP wants a line that begins with a token and a blank, and whose last
// word begins with "HTTP/". That is laxer than the grammar: what a server might take
// for a request must not pass as unknown. A request of HTTP/0.9 is none to us.
func recogniseHTTP(p *Parser, b []byte) answer {
	for ; p.scan < len(b); p.scan++ {
		c := b[p.scan]
		switch p.phase {
		case blankLines:
			if c == '\r' || c == '\n' {
				continue
			}
			if !token[c] {
				return no
			}
			p.line, p.phase = p.scan, inMethod
		case inMethod:
			switch {
			case token[c] && p.scan-p.line < maxMethod:
			case c == ' ' || c == '\t':
				p.phase = inRest
			default:
				return no
			}
		case inRest:
			switch {
			case c == '\n':
				return versioned(b[p.line:p.scan])
			case c < ' ' && c != '\t' && c != '\r' || c == 0x7f:
				return no
			}
		}
	}
	return maybe
}

// versioned tells whether a line's last word is an HTTP version, or tries to be.
func versioned(line []byte) answer {
	line = bytes.TrimRight(line, " \t\r")
	word := line[bytes.LastIndexAny(line, " \t")+1:]
	if len(word) < len("HTTP/") || !strings.EqualFold(string(word[:len("HTTP/")]), "HTTP/") {
		return no
	}
	return yes
}

// parseHTTP waits for the empty line. p.line still is where the request line begins,
// p.scan is what was looked at without finding the end.
func parseHTTP(p *Parser, b []byte) Status {
	for {
		lf := bytes.IndexByte(b[p.scan:], '\n')
		if lf < 0 {
			p.scan = len(b)
			return More
		}
		lf += p.scan
		end, more := emptyLine(b[lf+1:])
		if more {
			p.scan = lf // this line feed again, when there is more behind it
			return More
		}
		if end > 0 {
			return p.request(b[p.line:lf+1], lf+1+end)
		}
		p.scan = lf + 1
	}
}

// emptyLine returns the length of the empty line at the front, 0 if there is none.
func emptyLine(b []byte) (n int, more bool) {
	switch {
	case len(b) == 0, len(b) == 1 && b[0] == '\r':
		return 0, true
	case b[0] == '\n':
		return 1, false
	case b[0] == '\r' && b[1] == '\n':
		return 2, false
	}
	return 0, false
}

// request reads the lines of a head, without the empty one; it takes up size bytes.
func (p *Parser) request(lines []byte, size int) Status {
	n := bytes.Count(lines, []byte("\n")) - 1
	if n > maxFields {
		return p.tooLong("more than 256 header fields")
	}
	// One copy for all that is taken from the head.
	text := string(lines)
	line, text := cutLine(text)
	minor, reason := p.requestLine(line)
	if reason != "" {
		return p.malformed(reason)
	}
	p.head.Fields = make([]Field, 0, n)
	for text != "" {
		line, text = cutLine(text)
		f, reason := field(line)
		if reason != "" {
			return p.malformed(reason)
		}
		p.head.Fields = append(p.head.Fields, f)
	}
	if reason := p.head.resolve(minor); reason != "" {
		return p.malformed(reason)
	}
	return p.known(size)
}

// cutLine cuts off a line. A bare line feed ends it, too (RFC 9112 2.2).
func cutLine(s string) (line, rest string) {
	line, rest, _ = strings.Cut(s, "\n")
	return strings.TrimSuffix(line, "\r"), rest
}

// requestLine reads method SP request-target SP HTTP-version (RFC 9112 3).
func (p *Parser) requestLine(line string) (minor byte, reason string) {
	method, rest, _ := strings.Cut(line, " ")
	target, version, ok := strings.Cut(rest, " ")
	switch {
	case !ok || target == "" || strings.Contains(version, " ") || strings.ContainsAny(line, "\t\r"):
		return 0, "blanks in the request line"
	case len(version) != len("HTTP/1.1") || version[:5] != "HTTP/" || version[6] != '.' || !digit(version[5]) || !digit(version[7]):
		return 0, "bad HTTP version"
	case version[5] != '1':
		return 0, "HTTP version other than 1 in a text head"
	}
	p.head.Method, p.head.Target = method, target
	return version[7] - '0', ""
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// field reads a field line (RFC 9112 5).
func field(line string) (f Field, reason string) {
	if strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t") {
		return f, "folded header field"
	}
	name, value, ok := strings.Cut(line, ":")
	if !ok || !Token(name) {
		return f, "header line without a proper name"
	}
	value = strings.Trim(value, " \t")
	for i := 0; i < len(value); i++ {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return f, "control character in a header field"
		}
	}
	return Field{name, value}, ""
}

// Token tells whether s is a token: a method, or the name of a field (RFC 9110 5.6.2).
func Token(s string) bool {
	for i := 0; i < len(s); i++ {
		if !token[s[i]] {
			return false
		}
	}
	return s != ""
}

// token is the bytes of a token (RFC 9110 5.6.2).
var token = func() (t [256]bool) {
	for c := range t {
		t[c] = digit(byte(c)) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
	}
	for _, c := range []byte("!#$%&'*+-.^_`|~") {
		t[c] = true
	}
	return t
}()
