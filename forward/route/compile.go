package route

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/waggle-bpf/waggle/forward/head"
)

// compiler compiles a rule. It goes on after an error, to report all of them.
type compiler struct {
	table     *Table
	rule      int
	targets   []string
	errs      Errors
	protocols head.Set // those for which the conditions so far can hold
}

// builders make the conditions of a Match; nil for what isn't set. Those that need no
// bytes come first: they are the cheapest to pass a rule over by.
var builders = []func(*compiler, *Match) condition{
	buildSource, buildPeer, buildProxied, buildPort,
	buildProtocol, buildSilent, buildPrefix,
	buildSNI, buildALPN, buildHost, buildMethod, buildPath, buildHeaders, buildSSH,
	buildToken, buildRegexp, buildExpr,
}

func (c *compiler) compile(r *Rule) []condition {
	c.action(r)
	c.protocols = ^head.Set(0)
	var conditions []condition
	for _, build := range builders {
		if cond := build(c, &r.When); cond != nil {
			conditions = append(conditions, cond)
		}
	}
	if w := r.When.Window; w != 0 && r.When.Regexp == "" && r.When.Expr == "" {
		c.fail("Window", -1, errors.New("without Regexp or Expr, which it is for"))
	} else if w < 0 || w > c.table.max {
		c.fail("Window", -1, fmt.Errorf("%d is not between 1 and %d, the bytes that are looked at", w, c.table.max))
	}
	if r.When.Silent && c.needsBytes(conditions) {
		c.fail("Silent", -1, errors.New("together with conditions on what the client sends: no connection fulfils both"))
	}
	return conditions
}

// needsBytes tells whether a condition is about what the client sends.
func (c *compiler) needsBytes(conditions []condition) bool {
	return slices.ContainsFunc(conditions, func(cond condition) bool {
		_, isSilent := cond.(silentCondition)
		return !isBlind(cond) && !isSilent
	})
}

// action checks where a rule leads.
func (c *compiler) action(r *Rule) {
	switch {
	case r.Target == "" && r.Refuse == Forward:
		c.fail("", -1, errNoAction)
	case r.Target != "" && r.Refuse != Forward:
		c.fail("", -1, errTwoActions)
	case r.Target != "" && c.targets != nil && !slices.Contains(c.targets, r.Target):
		c.fail("Target", -1, fmt.Errorf("no group is called %q", r.Target))
	case r.Refuse != Forward && r.Refuse != Reset && r.Refuse != Close:
		c.fail("Refuse", -1, fmt.Errorf("%q is neither %q nor %q", r.Refuse, Reset, Close))
	}
}

var (
	errNoAction   = errors.New("neither a target nor a refusal")
	errTwoActions = errors.New("both a target and a refusal")
)

func (c *compiler) fail(field string, index int, err error) {
	c.errs = append(c.errs, &FieldError{Rule: c.rule, Field: field, Index: index, Err: err})
}

// only says that a field can hold for some protocols only. A rule in which two such
// fields exclude each other can never match, which is a mistake.
func (c *compiler) only(field string, protocols ...head.Protocol) {
	before := c.protocols
	if c.protocols &= head.SetOf(protocols...); c.protocols == 0 && before != 0 {
		c.fail(field, -1, errors.New("excludes another condition of the rule: a connection has one protocol; make two rules"))
	}
}

// texts checks a list of strings that must not be empty ones.
func (c *compiler) texts(field string, list []string) {
	for i, s := range list {
		if s == "" {
			c.fail(field, i, errors.New("empty"))
		}
	}
}

// methodNames checks methods. They are compared byte by byte.
func (c *compiler) methodNames(list []string) {
	for i, m := range list {
		if m == "" || m != strings.ToUpper(m) {
			c.fail("Method", i, fmt.Errorf("%q: methods are in upper case", m))
		}
	}
}
