package config

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// scalar is the setter of a value that is neither a list nor a mapping.
func (d *decoder) scalar(want string, f setter) setter {
	return func(n *yaml.Node) {
		if n = d.resolve(n); d.is(n, yaml.ScalarNode, want) {
			f(n)
		}
	}
}

// parsed is the setter of a value that a function reads.
func parsed[T any](d *decoder, to *T, want string, parse func(string) (T, error)) setter {
	return d.scalar(want, func(n *yaml.Node) {
		v, err := parse(n.Value)
		if err != nil {
			d.fail(n, "%v", err)
			return
		}
		*to = v
	})
}

// added is the setter of a list of values that a function reads.
func added[T any](d *decoder, to *[]T, want string, parse func(string) (T, error)) setter {
	return d.each(d.scalar(want, func(n *yaml.Node) {
		v, err := parse(n.Value)
		if err != nil {
			d.fail(n, "%v", err)
			// The place is kept, so that what is said later of an element of the
			// list is said of the right one.
			var zero T
			v = zero
		}
		*to = append(*to, v)
	}))
}

func (d *decoder) text(to *string) setter { return parsed(d, to, "text", nonEmpty) }

func (d *decoder) texts(to *[]string) setter { return added(d, to, "text", nonEmpty) }

func nonEmpty(s string) (string, error) {
	if s == "" {
		return "", fmt.Errorf("the text is empty")
	}
	return s, nil
}

func (d *decoder) boolean(to *bool) setter {
	return parsed(d, to, "true or false", func(s string) (bool, error) {
		switch s {
		case "true", "True", "TRUE":
			return true, nil
		case "false", "False", "FALSE":
			return false, nil
		}
		return false, fmt.Errorf("%s is neither true nor false", quote(s))
	})
}

// isTrue is the setter of a condition that there is only one way to set.
func (d *decoder) isTrue(to *bool) setter {
	set := d.boolean(to)
	return func(n *yaml.Node) {
		*to = true
		if set(n); !*to {
			d.fail(n, "false makes no difference; leave the key out")
		}
	}
}

func (d *decoder) integer(to *int, least, most int) setter {
	return parsed(d, to, "a number", func(s string) (int, error) { return parseInt(s, least, most) })
}

func parseInt(s string, least, most int) (int, error) {
	v, err := strconv.Atoi(s)
	if err != nil {
		return 0, fmt.Errorf("%s is not a number", quote(s))
	}
	if v < least || v > most {
		return 0, fmt.Errorf("%d is not between %d and %d", v, least, most)
	}
	return v, nil
}

// maxDuration keeps sums of durations from overflowing.
const maxDuration = 10 * 365 * 24 * time.Hour

// duration is the setter of a time, which is at least one millisecond.
func (d *decoder) duration(to *time.Duration) setter {
	return parsed(d, to, "a duration such as 5s", parseDuration)
}

// timeout is the setter of a duration that may be "none".
func (d *decoder) timeout(to *time.Duration) setter {
	return parsed(d, to, "a duration such as 5s, or none", ParseTimeout)
}

// ParseTimeout reads a time-out: a duration, or none, which is 0.
func ParseTimeout(s string) (time.Duration, error) {
	if s == "none" || s == "0" {
		return 0, nil
	}
	return parseDuration(s)
}

// ParseDrain reads how long to drain: a duration, 0, or none for as long as it takes, which
// is negative.
func ParseDrain(s string) (time.Duration, error) {
	switch s {
	case "none":
		return -1, nil
	case "0", "0s":
		return 0, nil
	}
	return parseDuration(s)
}

func parseDuration(s string) (time.Duration, error) {
	v, err := time.ParseDuration(s)
	if err != nil {
		if _, nerr := strconv.ParseFloat(s, 64); nerr == nil {
			return 0, fmt.Errorf("%s has no unit; write %ss for seconds", quote(s), s)
		}
		return 0, fmt.Errorf("%s is not a duration such as 500ms, 5s, 1m30s or 2h", quote(s))
	}
	if v < time.Millisecond || v > maxDuration {
		return 0, fmt.Errorf("%s is not between 1ms and ten years", quote(s))
	}
	return v, nil
}

// shortest is how people write a duration: 1m, not 1m0s.
func shortest(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// units of sizes, the longest names first.
var units = []struct {
	name  string
	bytes int
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"B", 1}, {"", 1}}

// size is the setter of a number of bytes.
func (d *decoder) size(to *int, least, most int) setter {
	return parsed(d, to, "a size such as 64KiB", func(s string) (int, error) {
		for _, u := range units {
			number, ok := strings.CutSuffix(s, u.name)
			if !ok {
				continue
			}
			v, err := strconv.Atoi(strings.TrimSpace(number))
			if err != nil {
				break
			}
			if v < 0 || v > most/u.bytes || v*u.bytes < least {
				return 0, fmt.Errorf("%s is not between %s and %s", quote(s), formatSize(least), formatSize(most))
			}
			return v * u.bytes, nil
		}
		return 0, fmt.Errorf("%s is not a size such as 512, 64KiB or 1MiB", quote(s))
	})
}

func formatSize(bytes int) string {
	for _, u := range units[:2] {
		if n := bytes / u.bytes; bytes%u.bytes == 0 && n > 0 && n < 1024 {
			return strconv.Itoa(n) + u.name
		}
	}
	return strconv.Itoa(bytes)
}

// choice is the setter of one of several words, of which set gets the index.
func (d *decoder) choice(words []string, set func(int)) setter {
	return d.scalar(orList(words), func(n *yaml.Node) {
		for i, w := range words {
			if w == n.Value {
				set(i)
				return
			}
		}
		d.fail(n, "%s is not %s%s", quote(n.Value), orList(words), meant(n.Value, words))
	})
}

// orList is "a, b or c".
func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// networks is the setter of a list of networks; an address is a network of its own.
func (d *decoder) networks(to *[]netip.Prefix) setter {
	return added(d, to, "a network such as 10.0.0.0/8", parseNetwork)
}

func parseNetwork(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return p, fmt.Errorf("%s is not a network such as 10.0.0.0/8 or 2001:db8::/32", quote(s))
	case p.Addr().Is4In6():
		return p, fmt.Errorf("%s: write IPv4 networks as IPv4", quote(s))
	case p != p.Masked():
		return p, fmt.Errorf("%s has bits behind its length; the network is %v", quote(s), p.Masked())
	}
	return p, nil
}

func parseAddr(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	if err != nil || a.Zone() != "" || a.IsUnspecified() || a.IsMulticast() {
		return netip.Addr{}, fmt.Errorf("%s is not an IP address of a machine", quote(s))
	}
	return a.Unmap(), nil
}

// parseListen reads the address of a listener: ADDRESS:PORT or :PORT.
func parseListen(s string) (netip.AddrPort, error) {
	if port, ok := strings.CutPrefix(s, ":"); ok {
		if v, err := strconv.ParseUint(port, 10, 16); err == nil {
			return netip.AddrPortFrom(netip.IPv6Unspecified(), uint16(v)), nil
		}
	}
	a, err := netip.ParseAddrPort(s)
	if err != nil {
		return a, fmt.Errorf("%s is not the address of a listener such as :443, 127.0.0.1:80 or [2001:db8::1]:80", quote(s))
	}
	if a.Addr().IsMulticast() {
		return a, fmt.Errorf("%s is a multicast address", quote(s))
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), nil
}

// parseBytes reads bytes: text, or hex:16 03 01.
func parseBytes(s string) (string, error) {
	digits, ok := strings.CutPrefix(s, "hex:")
	if !ok {
		return nonEmpty(s)
	}
	b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	if err != nil || len(b) == 0 {
		return "", fmt.Errorf("%s is not bytes in hexadecimal such as hex:16 03 01", quote(s))
	}
	return string(b), nil
}
