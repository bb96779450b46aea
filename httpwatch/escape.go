package httpwatch

import (
	"strconv"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// appendUint appends a number in decimal.
func appendUint(b []byte, n uint16) []byte { return strconv.AppendUint(b, uint64(n), 10) }

// plainText has the ASCII characters that text output shows as they are.
var plainText = asciiSet(func(c byte) bool { return c > ' ' && c < 0x7f && c != '\\' })

// plainJSON has the ASCII characters that stand for themselves in a JSON string.
// DEL may, but not on a terminal.
var plainJSON = asciiSet(func(c byte) bool { return c >= ' ' && c < 0x7f && c != '\\' && c != '"' })

func asciiSet(in func(byte) bool) (set [256]bool) {
	for c := range utf8.RuneSelf {
		set[c] = in(byte(c))
	}
	return set
}

// appendVisible appends s so that it can do no harm on a terminal and in a line of
// words.
func appendVisible(b, s []byte) []byte {
	return appendEscaped(b, s, &plainText, appendTextEscape)
}

// appendQuoted appends s as a JSON string that can do no harm on a terminal.
func appendQuoted(b, s []byte) []byte {
	b = append(b, '"')
	b = appendEscaped(b, s, &plainJSON, appendJSONEscape)
	return append(b, '"')
}

// appendEscaped appends s: the plain ASCII characters and the printable others as
// they are, the rest by escape. size is 1 and r utf8.RuneError for a byte that is
// not part of UTF-8.
func appendEscaped(b, s []byte, plain *[256]bool, escape func(b []byte, r rune, raw byte) []byte) []byte {
	for i := 0; i < len(s); {
		from := i
		for i < len(s) && plain[s[i]] {
			i++
		}
		b = append(b, s[from:i]...)
		if i == len(s) {
			break
		}
		r, size := utf8.DecodeRune(s[i:])
		switch {
		case size == 1:
			b = escape(b, utf8.RuneError, s[i])
		case strconv.IsPrint(r):
			b = append(b, s[i:i+size]...)
		default:
			b = escape(b, r, 0)
		}
		i += size
	}
	return b
}

// appendTextEscape appends an escape of Go strings: \\, \x1b, \u202e.
func appendTextEscape(b []byte, r rune, raw byte) []byte {
	switch {
	case raw == '\\':
		return append(b, `\\`...)
	case r == utf8.RuneError:
		return append(b, '\\', 'x', hexDigits[raw>>4], hexDigits[raw&15])
	case r > 0xffff:
		return appendHex(append(b, `\U`...), uint32(r), 8)
	}
	return appendHex(append(b, `\u`...), uint32(r), 4)
}

// appendJSONEscape appends an escape of JSON strings, and a percent-encoded byte if
// the byte is not part of UTF-8: that is how a browser would have sent it.
func appendJSONEscape(b []byte, r rune, raw byte) []byte {
	switch {
	case raw == '\\', raw == '"':
		return append(b, '\\', raw)
	case r == utf8.RuneError && raw < utf8.RuneSelf:
		return appendHex(append(b, `\u`...), uint32(raw), 4)
	case r == utf8.RuneError:
		return append(b, '%', upperHex[raw>>4], upperHex[raw&15])
	case r > 0xffff: // a surrogate pair
		r -= 0x10000
		b = appendHex(append(b, `\u`...), 0xd800|uint32(r>>10), 4)
		return appendHex(append(b, `\u`...), 0xdc00|uint32(r&0x3ff), 4)
	}
	return appendHex(append(b, `\u`...), uint32(r), 4)
}

const upperHex = "0123456789ABCDEF"

func appendHex(b []byte, v uint32, digits int) []byte {
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		b = append(b, hexDigits[v>>shift&15])
	}
	return b
}
