package route

import (
	"fmt"
	"net/netip"

	"github.com/waggle-bpf/waggle/forward/head"
)

// Options are those of a table.
type Options struct {
	// Max is how many bytes of a client are looked at, head.DefaultMax if 0. With so
	// many bytes every decision is final.
	Max int
	// Targets are the groups that there are; nil allows any name.
	Targets []string
}

// Table is a compiled list of rules. It doesn't change, and may be used by any number
// of goroutines.
type Table struct {
	rules    []rule
	indexes  []*index
	max      int
	machines int // regular expressions, each with a state in a Decider
}

// rule is a Rule whose conditions were compiled; all have to hold.
type rule struct {
	Rule
	conditions []condition
}

// truth is the value of a condition. It changes once, away from unknown.
type truth uint8

const (
	unknown truth = iota // more bytes are needed
	isFalse
	isTrue
	isError // it can't be told, and the connection is to be rejected
)

func truthOf(b bool) truth {
	if b {
		return isTrue
	}
	return isFalse
}

// condition is a compiled part of a Match.
type condition interface {
	// test returns the condition's value. With an End other than Open it is known.
	test(*Decider, *Input) truth
	// why names what made it true, for the access log; "" for nothing worth naming.
	why(*Decider, *Input) string
}

// blind is implemented by conditions that may need no bytes.
type blind interface{ blind() bool }

func isBlind(c condition) bool {
	b, ok := c.(blind)
	return ok && b.blind()
}

// Compile checks rules and makes a table of them. The error is Errors.
func Compile(rules []Rule, options Options) (*Table, error) {
	t := &Table{max: options.Max}
	if t.max <= 0 {
		t.max = head.DefaultMax
	}
	var errs Errors
	open := -1 // a rule that always matches
	for i := range rules {
		c := compiler{table: t, rule: i, targets: options.Targets}
		r := rule{Rule: rules[i], conditions: c.compile(&rules[i])}
		if open >= 0 {
			c.fail("", -1, fmt.Errorf("never reached: rule %d matches every connection; put it last", open+1))
		} else if len(r.conditions) == 0 && len(c.errs) == 0 {
			open = i
		}
		t.rules = append(t.rules, r)
		errs = append(errs, c.errs...)
	}
	if len(errs) > 0 {
		return nil, errs
	}
	t.indexes = []*index{newIndex(t.rules, "sni"), newIndex(t.rules, "host")}
	return t, nil
}

// Decide makes the decision about a connection in one go.
func (t *Table) Decide(c Conn, in Input) Decision { return t.Begin(c).Decide(in) }

// Begin begins the decision about a connection.
func (t *Table) Begin(c Conn) *Decider {
	return &Decider{table: t, conn: c, source: c.client(), parser: head.Parser{Max: t.max}}
}

// client is who the connection is from.
func (c *Conn) client() netip.Addr {
	if c.Source.IsValid() {
		return plain(c.Source)
	}
	return plain(c.Peer)
}

// port is where the client connected to.
func (c *Conn) port() uint16 {
	if c.Destination.IsValid() {
		return c.Destination.Port()
	}
	return c.Local.Port()
}

// plain is an address as networks are written: IPv4 is IPv4, whatever the socket.
func plain(a netip.AddrPort) netip.Addr { return a.Addr().Unmap().WithZone("") }
