package route

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/waggle-bpf/waggle/forward/head"
)

// names is a set of host names and patterns of them.
type names struct {
	any   bool                // *
	exact map[string]struct{} // in normal form
	one   map[string]struct{} // *.x without the star and dot
	deep  map[string]struct{} // **.x
}

var errPattern = errors.New("not a host name; wildcards are *, *.example.org and **.example.org")

// add adds a pattern.
func (n *names) add(pattern string) error {
	if pattern == "*" {
		n.any = true
		return nil
	}
	set := &n.exact
	name := pattern
	switch {
	case strings.HasPrefix(pattern, "**."):
		set, name = &n.deep, pattern[3:]
	case strings.HasPrefix(pattern, "*."):
		set, name = &n.one, pattern[2:]
	}
	normal, ok := head.Name(name)
	if !ok || set != &n.exact && isIP(normal) {
		return fmt.Errorf("%q: %w", pattern, hint(pattern))
	}
	if *set == nil {
		*set = make(map[string]struct{})
	}
	(*set)[normal] = struct{}{}
	return nil
}

// hint guesses what is wrong with a pattern.
func hint(pattern string) error {
	for i := range len(pattern) {
		if pattern[i] >= 0x80 {
			return errors.New("not a host name; write it in its ASCII form, which begins with xn--")
		}
	}
	if host, _, ok := strings.Cut(pattern, ":"); ok && host != "" {
		if _, ok := head.Name(host); ok {
			return errors.New("not a host name; leave the port away")
		}
	}
	return errPattern
}

func isIP(name string) bool {
	_, err := netip.ParseAddr(name)
	return err == nil
}

// match tells whether a normalised name is in the set. Wildcards don't stand for parts
// of IP addresses.
func (n *names) match(name string) bool {
	if name == "" {
		return false
	}
	if _, ok := n.exact[name]; ok || n.any {
		return true
	}
	if n.one == nil && n.deep == nil {
		return false
	}
	_, rest, ok := strings.Cut(name, ".")
	if !ok || isIP(name) {
		return false
	}
	if _, ok := n.one[rest]; ok {
		return true
	}
	for ok && n.deep != nil {
		if _, found := n.deep[rest]; found {
			return true
		}
		_, rest, ok = strings.Cut(rest, ".")
	}
	return false
}

func (c *compiler) names(field string, patterns []string) *names {
	n := new(names)
	for i, p := range patterns {
		if err := n.add(p); err != nil {
			c.fail(field, i, err)
		}
	}
	return n
}
