package kern

import "github.com/waggle-bpf/waggle/bpf/tc"

// start is how a segment begins.
type start struct {
	text [startLen]byte
	len  uint32
}

// startLen covers a status line up to its code and nearly every method.
const startLen = 16

func (s *segment) start(ctx *tc.Context) (t start) {
	n := min(s.len, startLen)
	if n >= 1 && ctx.LoadBytes(int(s.off), t.text[:n]).Ok() {
		t.len = n
	}
	return t
}

// answer is an answer that may need more bytes.
type answer uint32

const (
	no answer = iota
	maybe
	yes
)

// request tells whether a request may begin here: with a method, a blank and the
// first character of a target, or as much of it as there is. A segment that has
// nothing but method characters may be one of a client that writes byte by byte,
// but a long one is maybe something else.
func (t *start) request() answer {
	if t.len > 0 && (t.text[0] == '\r' || t.text[0] == '\n') {
		return maybe // a line before the request
	}
	for i := range uint32(startLen) {
		if i >= t.len {
			return yes // as far as one can see
		}
		c := t.text[i]
		if c == ' ' && i > 0 {
			return t.target(i + 1)
		}
		if !isToken(c) {
			return no
		}
	}
	return maybe
}

// target tells whether a target may begin at i.
func (t *start) target(i uint32) answer {
	if i < startLen && i < t.len && t.text[i] <= ' ' {
		return maybe
	}
	return yes
}

// isReply reports whether an HTTP/1 status line begins here.
func (t *start) isReply() bool { return t.len >= 12 && string(t.text[:7]) == "HTTP/1." }

// class returns the first digit of a reply's status code.
func (t *start) class() uint8 { return t.text[9] }

// switches reports whether a reply's status code is 101, Switching Protocols.
func (t *start) switches() bool { return string(t.text[9:12]) == "101" }

// isToken reports whether c may be part of a token (RFC 9110 5.6.2).
func isToken(c uint8) bool {
	switch {
	case c < 64:
		return tokens0>>c&1 != 0
	case c < 128:
		return tokens64>>(c-64)&1 != 0
	}
	return false
}

// The token characters as bits: those below 64, and those from 64 on.
const (
	digits   = 1<<10 - 1
	letters  = 1<<26 - 1
	tokens0  = uint64(1<<'!' | 1<<'#' | 1<<'$' | 1<<'%' | 1<<'&' | 1<<'\'' | 1<<'*' | 1<<'+' | 1<<'-' | 1<<'.' | digits<<'0')
	tokens64 = uint64(letters<<('A'-64) | 1<<('^'-64) | 1<<('_'-64) | 1<<('`'-64) | letters<<('a'-64) | 1<<('|'-64) | 1<<('~'-64))
)
