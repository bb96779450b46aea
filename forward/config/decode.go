package config

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/waggle-bpf/waggle/internal/suggest"
)

// field is a key that a mapping may have.
type field struct {
	name string
	want string // what its value is, for people
	std  string // what it is when it isn't there; "" for nothing
	doc  string
	set  setter
	sub  []field // of the mapping that the value is, or of those that it has
}

// setter takes the value of a field.
type setter func(*yaml.Node)

// decoder turns the nodes of a file into a configuration. It goes on after an error, to
// report all of them.
type decoder struct {
	file   string
	errs   Errors
	budget int
	groups map[string]*Group // by name
	broken map[string]bool   // groups that are there but wrong
	uses   []use

	// What is checked when all is read.
	addresses []address
	targets   []target
	tables    []table

	// Where secrets come from.
	readFile func(name string) ([]byte, error)
	getenv   func(name string) (string, bool)
}

// use is where a group is named, and what is to be told of it.
type use struct {
	node *yaml.Node
	set  func(*Group)
}

const (
	// maxFile is how large a file may be, maxNodes how many values it may stand for,
	// aliases counted each time.
	maxFile  = 4 << 20
	maxNodes = 1 << 18
	// maxErrors is after how many errors a file is given up.
	maxErrors = 1000
	// maxSecret is how large a file with a secret may be.
	maxSecret = 64 << 10
)

func newDecoder(file string) *decoder {
	return &decoder{
		file: file, budget: maxNodes,
		groups: make(map[string]*Group), broken: make(map[string]bool),
		readFile: func(name string) ([]byte, error) {
			if !filepath.IsAbs(name) {
				name = filepath.Join(filepath.Dir(file), name)
			}
			return readFile(name, maxSecret)
		},
		getenv: os.LookupEnv,
	}
}

// readFile reads a file of a bounded size.
func readFile(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("read %s: more than %d bytes", name, limit)
	}
	return data, err
}

func (d *decoder) fail(n *yaml.Node, format string, args ...any) {
	if len(d.errs) >= maxErrors {
		d.budget = 0 // enough
		return
	}
	d.errs = append(d.errs, &Error{File: d.file, Line: max(n.Line, 1), Col: max(n.Column, 1), Msg: fmt.Sprintf(format, args...)})
}

// resolve follows an alias, and counts.
func (d *decoder) resolve(n *yaml.Node) *yaml.Node {
	if d.budget--; d.budget == 0 {
		d.fail(n, "more than %d values, aliases counted each time", maxNodes)
	}
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// is tells whether a node is of a kind, and complains if it isn't.
func (d *decoder) is(n *yaml.Node, kind yaml.Kind, want string) bool {
	if n.Kind == kind && !isNull(n) {
		return d.budget > 0
	}
	d.fail(n, "want %s, got %s", want, describe(n))
	return false
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

func describe(n *yaml.Node) string {
	switch {
	case isNull(n):
		return "nothing"
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	}
	return quote(n.Value)
}

// quote shows a value that may be long.
func quote(s string) string {
	const most = 60
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return strconv.Quote(s)
}

// mapping decodes a mapping with the given keys and returns the values that it has.
func (d *decoder) mapping(n *yaml.Node, fields []field) map[string]*yaml.Node {
	n = d.resolve(n)
	if !d.is(n, yaml.MappingNode, "a mapping") {
		return nil
	}
	seen := make(map[string]*yaml.Node)
	d.pairs(n, func(key string, keyNode, value *yaml.Node) {
		for _, f := range fields {
			if f.name == key {
				seen[key] = value
				f.set(value)
				return
			}
		}
		d.fail(keyNode, "no key %s here%s", quote(key), meant(key, names(fields)))
	})
	return seen
}

// pairs calls f for each key of a mapping that is a text and not there twice.
func (d *decoder) pairs(n *yaml.Node, f func(key string, keyNode, value *yaml.Node)) {
	lines := make(map[string]int)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := d.resolve(n.Content[i])
		switch {
		case !d.is(key, yaml.ScalarNode, "a key"):
		case lines[key.Value] > 0:
			d.fail(key, "%s is there twice, first in line %d", quote(key.Value), lines[key.Value])
		default:
			lines[key.Value] = key.Line
			f(key.Value, key, n.Content[i+1])
		}
	}
}

func names(fields []field) (list []string) {
	for _, f := range fields {
		list = append(list, f.name)
	}
	return list
}

// meant is the question after a name that isn't there.
func meant(name string, candidates []string) string {
	if best := suggest.Closest(name, candidates); best != "" {
		return "; did you mean " + best + "?"
	}
	return ""
}

// section is the setter of a mapping.
func (d *decoder) section(fields []field) setter {
	return func(n *yaml.Node) { d.mapping(n, fields) }
}

var nameRE = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,62}$`)

// named decodes a mapping from names to things.
func (d *decoder) named(thing string, each func(name string, keyNode, value *yaml.Node)) setter {
	return func(n *yaml.Node) {
		n = d.resolve(n)
		if !d.is(n, yaml.MappingNode, "a mapping from names to "+thing) {
			return
		}
		d.pairs(n, func(name string, keyNode, value *yaml.Node) {
			if !nameRE.MatchString(name) {
				d.fail(keyNode, "%s is no name; names are letters, digits, points, hyphens and underscores", quote(name))
				return
			}
			each(name, keyNode, value)
		})
	}
}

// each decodes a list; anything else is taken for its only element.
func (d *decoder) each(f setter) setter {
	return func(n *yaml.Node) {
		n = d.resolve(n)
		if n.Kind != yaml.SequenceNode {
			f(n)
			return
		}
		if len(n.Content) == 0 {
			d.fail(n, "the list is empty")
		}
		for _, item := range n.Content {
			f(item)
		}
	}
}

// group is the setter of a group's name. What it names is known when all is read.
func (d *decoder) group(set func(*Group)) setter {
	return d.scalar("the name of a group", func(n *yaml.Node) { d.uses = append(d.uses, use{n, set}) })
}

// resolveGroups tells those who named groups what they named.
func (d *decoder) resolveGroups(c *Config) {
	var all []string
	for _, g := range c.Groups {
		all = append(all, g.Name)
	}
	for _, u := range d.uses {
		switch g := d.groups[u.node.Value]; {
		case g != nil:
			u.set(g)
		case !d.broken[u.node.Value]:
			d.fail(u.node, "no group is called %s%s", quote(u.node.Value), meant(u.node.Value, all))
		}
	}
}
