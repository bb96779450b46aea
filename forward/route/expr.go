package route

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"github.com/waggle-bpf/waggle/forward/head"
)

// environment is what an expression sees. Its tags are the names in the language.
type environment struct {
	SNI      string            `expr:"sni"`
	ALPN     []string          `expr:"alpn"`
	Host     string            `expr:"host"`
	Path     string            `expr:"path"`
	Method   string            `expr:"method"`
	Headers  map[string]string `expr:"headers"`
	SSH      string            `expr:"ssh"`
	Protocol string            `expr:"protocol"`
	Source   string            `expr:"source"`
	Port     int               `expr:"port"`
	Bytes    string            `expr:"bytes"`
}

// needs says which protocol's head a name needs; the others need none.
var needs = map[string]head.Protocol{
	"sni": head.TLS, "alpn": head.TLS,
	"host": head.HTTP, "path": head.HTTP, "method": head.HTTP, "headers": head.HTTP,
	"ssh": head.SSH,
}

// maxNodes bounds an expression; a long one has some hundred.
const maxNodes = 2000

// exprCondition is an expression. It runs once, when all it uses is known.
type exprCondition struct {
	program *vm.Program
	uses    map[string]bool
	heads   []head.Protocol
	window  int
	text    string
	pool    sync.Pool // of *vm.VM
}

func buildExpr(c *compiler, m *Match) condition {
	if m.Expr == "" {
		return nil
	}
	e := &exprCondition{uses: make(map[string]bool), text: m.Expr, window: m.Window}
	e.pool.New = func() any { return new(vm.VM) }
	program, err := compileExpr(m.Expr, e.uses)
	switch {
	case err != nil:
		c.fail("Expr", -1, exprError(err))
		return nil
	case e.uses["bytes"] && m.Window == 0:
		c.fail("Window", -1, errors.New("needed: how many bytes does the expression have to wait for?"))
	case !e.uses["bytes"] && m.Window != 0 && m.Regexp == "":
		c.fail("Window", -1, errors.New("for an expression that doesn't use bytes"))
	}
	e.program = program
	for name := range e.uses {
		if p, ok := needs[name]; ok {
			e.heads = append(e.heads, p)
		}
	}
	return e
}

// compileExpr compiles an expression and notes which names it uses.
func compileExpr(text string, uses map[string]bool) (*vm.Program, error) {
	options := []expr.Option{
		expr.Env(environment{}), expr.AsBool(), expr.WarnOnAny(), expr.MaxNodes(maxNodes),
		// A decision depends on the connection, not on when it is made.
		expr.DisableBuiltin("now"),
		expr.Function("cidr", callCIDR, new(func(string, string) bool)),
		expr.Function("wildcard", callWildcard, new(func(string, string) bool)),
	}
	// With a visitor the library checks the tree twice, the second time without the
	// arguments of calls, and forgets what it found the first time.
	if _, err := expr.Compile(text, options...); err != nil {
		return nil, err
	}
	seen := &usage{uses: uses}
	program, err := expr.Compile(text, append(options, expr.Patch(seen))...)
	if err == nil {
		err = seen.err
	}
	return program, err
}

// ExprError is what is wrong with an expression, and where in it, both from 1.
type ExprError struct {
	Line, Column int
	Message      string
}

func (e *ExprError) Error() string { return fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.Message) }

// exprError makes one line of the library's errors, which show the place in a drawing.
func exprError(err error) error {
	var e *file.Error
	if errors.As(err, &e) {
		return &ExprError{e.Line, e.Column + 1, e.Message}
	}
	return err
}

// usage visits the nodes of an expression to find out what it uses. Names of headers
// are in lower case in the environment, and become that in the expression.
type usage struct {
	uses map[string]bool
	err  error
}

// Visit implements ast.Visitor.
func (u *usage) Visit(node *ast.Node) {
	switch n := (*node).(type) {
	case *ast.IdentifierNode:
		if n.Value == "$env" {
			u.err = errors.New("$env: name the variables instead")
		}
		u.uses[n.Value] = true
	case *ast.MemberNode:
		name, ok := n.Property.(*ast.StringNode)
		if of, isName := n.Node.(*ast.IdentifierNode); ok && isName && of.Value == "headers" {
			name.Value = strings.ToLower(name.Value)
		}
	case *ast.CallNode:
		u.call(n)
	}
}

// call checks patterns that are constants, so that mistakes show early.
func (u *usage) call(n *ast.CallNode) {
	name, ok := n.Callee.(*ast.IdentifierNode)
	if !ok || len(n.Arguments) != 2 {
		return
	}
	pattern, ok := n.Arguments[1].(*ast.StringNode)
	if !ok {
		return
	}
	var err error
	switch name.Value {
	case "cidr":
		_, err = netip.ParsePrefix(pattern.Value)
	case "wildcard":
		err = new(names).add(pattern.Value)
	}
	if err != nil && u.err == nil {
		u.err = fmt.Errorf("%s: %w", name.Value, err)
	}
}

func callCIDR(args ...any) (any, error) {
	prefix, err := netip.ParsePrefix(args[1].(string))
	if err != nil {
		return nil, err
	}
	addr, err := netip.ParseAddr(args[0].(string))
	return err == nil && prefix.Contains(addr), nil
}

func callWildcard(args ...any) (any, error) {
	var n names
	if err := n.add(args[1].(string)); err != nil {
		return nil, err
	}
	return n.match(args[0].(string)), nil
}

func (e *exprCondition) blind() bool {
	return len(e.heads) == 0 && !e.uses["protocol"] && !e.uses["bytes"]
}

func (e *exprCondition) test(d *Decider, in *Input) truth {
	if known := e.known(d, in); known != isTrue {
		return known
	}
	machine := e.pool.Get().(*vm.VM)
	result, err := machine.Run(e.program, e.environment(d, in))
	e.pool.Put(machine)
	if err != nil {
		return d.fail("expression: " + exprError(err).Error())
	}
	return truthOf(result.(bool))
}

// known tells whether all that the expression uses is. A protocol that the connection
// is not of is known to be empty.
func (e *exprCondition) known(d *Decider, in *Input) truth {
	for _, p := range e.heads {
		if t := d.about(p, in); t == unknown || t == isError {
			return t
		}
	}
	switch {
	case in.End != Open:
		return isTrue
	case e.uses["bytes"] && len(in.Bytes) < e.window:
		return unknown
	case e.uses["protocol"] && d.look(in).Protocol == head.None:
		return unknown
	}
	return isTrue
}

func (e *exprCondition) environment(d *Decider, in *Input) *environment {
	env := &environment{Source: d.source.String(), Port: int(d.conn.port())}
	if len(e.heads) > 0 || e.uses["protocol"] {
		h := d.look(in)
		env.SNI, env.ALPN = h.SNI, h.ALPN
		env.Host, env.Path, env.Method = h.Host, h.Path, h.Method
		env.SSH = h.Banner
		env.Protocol = protocolName(h, in)
		if e.uses["headers"] {
			env.Headers = headers(h)
		}
	}
	if e.uses["bytes"] {
		env.Bytes = string(in.Bytes[:min(len(in.Bytes), e.window)])
	}
	return env
}

// protocolName is "other" also for bytes that were not enough to tell in time.
func protocolName(h *head.Head, in *Input) string {
	if h.Protocol == head.None && len(in.Bytes) > 0 {
		return head.Other.String()
	}
	return h.Protocol.String()
}

func headers(h *head.Head) map[string]string {
	m := make(map[string]string, len(h.Fields))
	for _, f := range h.Fields {
		name := strings.ToLower(f.Name)
		if before, ok := m[name]; ok {
			m[name] = before + ", " + f.Value
			continue
		}
		m[name] = f.Value
	}
	return m
}

func (e *exprCondition) why(*Decider, *Input) string { return "expr " + e.text }
