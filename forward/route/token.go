package route

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/waggle-bpf/waggle/forward/head"
)

// A token is its expiry, in seconds since 1970, in 5 bytes and the HMAC-SHA256 of
// tokenContext, the scope, a zero byte and the expiry, all of it in lower-case base32
// (RFC 4648 7, no padding). Those 60 characters fit in a label of a server name, in
// which case does not count.
const (
	expirySize = 5
	tokenSize  = expirySize + sha256.Size
	minKey     = 16

	tokenContext = "waggle token 1\x00"
	lineWord     = "TOKEN "
)

var (
	tokenCoding = base32.HexEncoding.WithPadding(base32.NoPadding)
	tokenText   = tokenCoding.EncodedLen(tokenSize)
)

// Mint makes a token that is valid for a scope until expiry.
func Mint(key []byte, scope string, expiry time.Time) (string, error) {
	if err := checkKey(key); err != nil {
		return "", fmt.Errorf("mint token: %w", err)
	}
	if seconds := expiry.Unix(); seconds < 0 || seconds >= 1<<(8*expirySize) {
		return "", fmt.Errorf("mint token: expiry %s out of range", expiry)
	}
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(expiry.Unix()))
	when := b[8-expirySize:]
	return strings.ToLower(tokenCoding.EncodeToString(append(when, sign(key, scope, when)...))), nil
}

func checkKey(key []byte) error {
	if len(key) < minKey {
		return fmt.Errorf("key of %d bytes; at least %d", len(key), minKey)
	}
	return nil
}

func sign(key []byte, scope string, expiry []byte) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(tokenContext))
	mac.Write([]byte(scope))
	mac.Write([]byte{0})
	mac.Write(expiry)
	return mac.Sum(nil)
}

// valid checks a token. How long it takes tells nothing about the keys: all of them
// are tried, and compared in constant time.
func (t *Token) valid(text string, now time.Time) bool {
	if len(text) != tokenText {
		return false
	}
	text = strings.ToUpper(text)
	token, err := tokenCoding.DecodeString(text)
	if err != nil || tokenCoding.EncodeToString(token) != text {
		return false // the last letter has bits that mean nothing; they are 0
	}
	expiry, signature := token[:expirySize], token[expirySize:]
	good := false
	for _, key := range t.Keys {
		if hmac.Equal(sign(key, t.Scope, expiry), signature) {
			good = true
		}
	}
	var seconds [8]byte
	copy(seconds[8-expirySize:], expiry)
	return good && now.Unix() < int64(binary.BigEndian.Uint64(seconds[:]))
}

type tokenCondition struct{ *Token }

func buildToken(c *compiler, m *Match) condition {
	t := m.Token
	if t == nil {
		return nil
	}
	switch {
	case t.In == InHeader && !head.Token(t.Header):
		c.fail("Token.Header", -1, fmt.Errorf("%q: not the name of a header field", t.Header))
	case t.In == InHeader:
		c.only("Token", head.HTTP)
	case t.In == InSNI:
		c.only("Token", head.TLS)
	case t.In == InLine:
		c.only("Token", head.Other)
	default:
		c.fail("Token.In", -1, fmt.Errorf("%q is none of %s, %s and %s", t.In, InHeader, InLine, InSNI))
	}
	if t.In != InHeader && t.Header != "" {
		c.fail("Token.Header", -1, errors.New("for a token that is elsewhere"))
	}
	if strings.Contains(t.Scope, "\x00") {
		c.fail("Token.Scope", -1, errors.New("has a zero byte"))
	}
	if len(t.Keys) == 0 {
		c.fail("Token.Keys", -1, errors.New("none"))
	}
	for i, key := range t.Keys {
		if err := checkKey(key); err != nil {
			c.fail("Token.Keys", i, err)
		}
	}
	return &tokenCondition{t}
}

func (t *tokenCondition) test(d *Decider, in *Input) truth {
	var text string
	switch t.In {
	case InLine:
		line, result := t.line(in)
		if result != isTrue {
			return result
		}
		text = line
	case InHeader:
		if known := d.about(head.HTTP, in); known != isTrue {
			return known
		}
		text, _ = d.Head().Field(t.Header)
		if scheme, rest, ok := strings.Cut(text, " "); ok && strings.EqualFold(scheme, "Bearer") {
			text = strings.TrimLeft(rest, " ")
		}
	case InSNI:
		if known := d.about(head.TLS, in); known != isTrue {
			return known
		}
		text, _, _ = strings.Cut(d.Head().SNI, ".")
	}
	now := in.Now
	if now.IsZero() {
		now = time.Now()
	}
	return truthOf(t.valid(text, now))
}

// line returns the token of a first line. The line has one length, so that what can't
// be one is seen early.
func (t *tokenCondition) line(in *Input) (text string, result truth) {
	n := min(len(in.Bytes), len(lineWord))
	if string(in.Bytes[:n]) != lineWord[:n] {
		return "", isFalse
	}
	end := len(lineWord) + tokenText
	for i := n; i < min(len(in.Bytes), end); i++ {
		if c := in.Bytes[i]; c == '\n' || c == '\r' || c == ' ' {
			return "", isFalse
		}
	}
	size := lineEnd(in.Bytes, end)
	switch {
	case size > 0:
		return string(in.Bytes[len(lineWord):end]), isTrue
	case size < 0 || in.End != Open:
		return "", isFalse
	}
	return "", unknown
}

// lineEnd returns where the line that has to end at an offset ends: behind LF or CR LF,
// 0 if that is not there yet, -1 if something else is.
func lineEnd(b []byte, at int) int {
	if at < len(b) && b[at] == '\r' {
		at++
	}
	switch {
	case at >= len(b):
		return 0
	case b[at] != '\n':
		return -1
	}
	return at + 1
}

// strip is how many bytes of a connection that matched are the token's.
func (t *tokenCondition) strip(b []byte) int {
	if t.In != InLine {
		return 0
	}
	return lineEnd(b, len(lineWord)+tokenText)
}

func (t *tokenCondition) why(*Decider, *Input) string {
	if t.Scope == "" {
		return "token"
	}
	return "token=" + t.Scope
}
