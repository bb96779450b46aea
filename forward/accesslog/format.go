package accesslog

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Format is how a record is written.
type Format int

// The formats.
const (
	Text Format = iota // key=value, for people and for what reads logfmt
	JSON               // one object a line
)

var formats = []string{"text", "json"}

// Formats are the names of the formats.
func Formats() []string { return append([]string(nil), formats...) }

func (f Format) String() string {
	if f >= 0 && int(f) < len(formats) {
		return formats[f]
	}
	return fmt.Sprintf("Format(%d)", int(f))
}

// ParseFormat returns the format of that name.
func ParseFormat(name string) (Format, error) {
	for i, n := range formats {
		if n == name {
			return Format(i), nil
		}
	}
	return 0, fmt.Errorf("no format %q; there are %s", name, strings.Join(formats, ", "))
}

// maxValue is how many bytes of a text are written. What a client can make long is
// shorter already.
const maxValue = 512

// line is a line in the making. All of its values are for one format.
type line struct {
	b      []byte
	format Format
}

// append adds a record to b, with a new line at the end. Fields that are empty are left
// out, the byte counts of a refused connection too.
func (f Format) append(b []byte, r *Record) []byte {
	l := line{b, f}
	l.begin()
	l.time("time", r.Start)
	l.addr("client", r.Client)
	l.addr("source", r.Source)
	l.text("listener", r.Listener)
	l.text("route", r.Route)
	l.text("why", r.Why)
	l.text("name", r.Name)
	l.text("backend", r.Backend)
	l.text("refused", r.Refused)
	if r.Refused == "" {
		l.number("up", r.Up)
		l.number("down", r.Down)
	}
	l.seconds("duration", r.Duration)
	l.text("close", r.Close)
	l.text("error", r.Err)
	l.text("engine", r.Engine)
	l.text("engine_why", r.EngineWhy)
	l.end()
	return l.b
}

// appendLost adds the line that says how many are missing.
func (f Format) appendLost(b []byte, now time.Time, n uint64) []byte {
	l := line{b, f}
	l.begin()
	l.time("time", now)
	l.number("lost", n)
	l.end()
	return l.b
}

func (l *line) begin() {
	if l.format == JSON {
		l.b = append(l.b, '{')
	}
}

func (l *line) end() {
	if l.format == JSON {
		l.b = append(l.b, '}')
	}
	l.b = append(l.b, '\n')
}

// key adds what is in front of a value.
func (l *line) key(k string) {
	if l.format == JSON {
		if l.b[len(l.b)-1] != '{' {
			l.b = append(l.b, ',')
		}
		l.b = append(l.b, '"')
		l.b = append(l.b, k...)
		l.b = append(l.b, '"', ':')
		return
	}
	if n := len(l.b); n > 0 && l.b[n-1] != '\n' {
		l.b = append(l.b, ' ')
	}
	l.b = append(l.b, k...)
	l.b = append(l.b, '=')
}

// bare adds quotation marks in JSON, where a value of another form needs them.
func (l *line) bare() {
	if l.format == JSON {
		l.b = append(l.b, '"')
	}
}

// time adds RFC 3339 with milliseconds, in UTC, so that lines sort. Package time's own way
// to write it takes three times as long.
func (l *line) time(k string, t time.Time) {
	l.key(k)
	l.bare()
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	l.b = appendDigits(l.b, uint64(year), 4)
	l.b = appendDigits(append(l.b, '-'), uint64(month), 2)
	l.b = appendDigits(append(l.b, '-'), uint64(day), 2)
	l.b = appendDigits(append(l.b, 'T'), uint64(hour), 2)
	l.b = appendDigits(append(l.b, ':'), uint64(minute), 2)
	l.b = appendDigits(append(l.b, ':'), uint64(second), 2)
	l.b = appendDigits(append(l.b, '.'), uint64(t.Nanosecond()/1e6), 3)
	l.b = append(l.b, 'Z')
	l.bare()
}

// appendDigits adds the last n digits of a number.
func appendDigits(b []byte, v uint64, n int) []byte {
	b = append(b, "000000000"[:n]...)
	for i := len(b) - 1; n > 0; i, n = i-1, n-1 {
		b[i] = byte('0' + v%10)
		v /= 10
	}
	return b
}

func (l *line) addr(k string, a netip.AddrPort) {
	if !a.IsValid() {
		return
	}
	l.key(k)
	l.bare()
	// IPv4 is written as IPv4, whatever socket it came to.
	l.b = netip.AddrPortFrom(a.Addr().Unmap(), a.Port()).AppendTo(l.b)
	l.bare()
}

func (l *line) number(k string, v uint64) {
	l.key(k)
	l.b = strconv.AppendUint(l.b, v, 10)
}

// seconds adds a duration in seconds, to the microsecond.
func (l *line) seconds(k string, d time.Duration) {
	l.key(k)
	d = max(d, 0)
	l.b = strconv.AppendUint(l.b, uint64(d/time.Second), 10)
	l.b = appendDigits(append(l.b, '.'), uint64(d%time.Second/time.Microsecond), 6)
	if l.format == Text {
		l.b = append(l.b, 's')
	}
}

func (l *line) text(k, v string) {
	if v == "" {
		return
	}
	if len(v) > maxValue {
		v = strings.ToValidUTF8(v[:maxValue], "") + "..."
	}
	l.key(k)
	if l.format == Text && isPlain(v) {
		l.b = append(l.b, v...)
		return
	}
	l.b = append(l.b, '"')
	l.b = appendEscaped(l.b, v)
	l.b = append(l.b, '"')
}

// isPlain tells whether a text needs no quotation marks.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == '"' || c == '\\' || c == '=' || c >= 0x7f {
			return false
		}
	}
	return true
}

// appendEscaped adds a text as JSON wants it between quotation marks (RFC 8259 7), which
// is right for logfmt as well. Terminals get no control characters to see: C1 and DEL
// are escaped too, and so are the two separators that JavaScript takes for line ends.
func appendEscaped(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < 0x7f {
			if c == '"' || c == '\\' {
				b = append(b, '\\')
			}
			b = append(b, c)
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r < 0xa0 || r == '\u2028' || r == '\u2029' || r == utf8.RuneError:
			b = append(b, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
		default:
			b = append(b, s[i:i+size]...)
		}
		i += size
	}
	return b
}
