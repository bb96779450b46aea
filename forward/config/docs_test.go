package config

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

const (
	reference = "../../docs/forward.md"
	example   = "../../docs/forward.yaml"
	marker    = "do not edit. -->\n"
)

func TestExample(t *testing.T) {
	c, err := Load(example)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	// It is an example of nearly everything. These are for few people.
	hidden := []string{
		"alpn", "method", "prefix", "regexp", "window", "peer", "proxied", "token", "in", "scope", "keys",
		"require", "send", "interface", "mark", "max_segment",
	}
	walk("", newDecoder("").top(Default()), func(path string, fields []field) {
		for _, f := range fields {
			shown := regexp.MustCompile(`(?m)^[ -]*` + f.name + `:`).Match(data)
			if hide := slices.Contains(hidden, f.name); shown == hide {
				t.Errorf("key %s%s: shown is %t, hidden is %t", path, f.name, shown, hide)
			}
		}
	})
	if len(c.Listeners) < 2 || len(c.Listeners[0].Routes) < 4 {
		t.Errorf("it shows little: %s", dump(c))
	}
}

// walk visits the fields of a mapping, and of those below it.
func walk(path string, fields []field, visit func(path string, fields []field)) {
	visit(path, fields)
	for _, f := range fields {
		if len(f.sub) == 0 {
			continue
		}
		below := path + f.name
		switch {
		case strings.HasPrefix(f.want, "mapping from"):
			below += ".NAME"
		case f.want == "list":
			below += "[]"
		}
		walk(below+".", f.sub, visit)
	}
}

// TestReference: the reference has every key, with what the code says of it.
func TestReference(t *testing.T) {
	text, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	head, _, ok := strings.Cut(string(text), marker)
	if !ok {
		t.Fatalf("%s has no line that ends %q", reference, marker)
	}
	var b strings.Builder
	b.WriteString(head + marker)
	d := newDecoder("")
	walk("", d.top(Default()), func(path string, fields []field) {
		if path != "" {
			fmt.Fprintf(&b, "\n### %s\n", strings.TrimSuffix(path, "."))
		}
		b.WriteString("\n| key | value | default | |\n|---|---|---|---|\n")
		for _, f := range fields {
			if f.doc == "" || f.want == "" || !strings.HasSuffix(f.doc, ".") && !strings.HasSuffix(f.doc, "`.") {
				t.Errorf("%s%s: want %q, doc %q", path, f.name, f.want, f.doc)
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.name, f.want, f.std, strings.ReplaceAll(f.doc, "|", `\|`))
		}
	})
	testkit.Golden(t, reference, []byte(b.String()))
}

// TestReferenceExamples: what the page shows is valid.
func TestReferenceExamples(t *testing.T) {
	text, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(text, -1)
	if len(blocks) == 0 {
		t.Fatal("no examples")
	}
	for _, b := range blocks {
		if _, err := Parse("example.yaml", b[1]); err != nil {
			t.Errorf("%v in\n%s", err, b[1])
		}
	}
	for _, e := range Engines[1:] {
		if !strings.Contains(string(text), "\n| `"+e+"` |") {
			t.Errorf("engine %s is not explained", e)
		}
	}
}

// TestDefaults: the defaults that the reference states are those that an empty mapping
// gives.
func TestDefaults(t *testing.T) {
	c, err := Parse("f", []byte(`
listeners: {a: {address: ":80", to: web}}
groups: {web: [10.0.0.1:80]}
`))
	if err != nil {
		t.Fatal(err)
	}
	d := newDecoder("f")
	stated := make(map[string]string)
	walk("", d.top(Default()), func(path string, fields []field) {
		for _, f := range fields {
			stated[path+f.name] = f.std
		}
	})
	for key, got := range map[string]string{
		"timeouts.header":              c.Timeouts.Header.String(),
		"timeouts.idle":                c.Timeouts.Idle.String(),
		"timeouts.lifetime":            c.Timeouts.Lifetime.String(),
		"timeouts.half_close":          c.Timeouts.HalfClose.String(),
		"limits.header_bytes":          formatSize(c.Limits.HeaderBytes),
		"limits.reserve_files":         fmt.Sprint(c.Limits.ReserveFiles),
		"drain":                        c.Drain.String(),
		"persist":                      fmt.Sprint(c.Persist),
		"listeners.NAME.engine":        c.Listeners[0].Engine,
		"groups.NAME.policy":           c.Groups[0].Policy.String(),
		"listeners.NAME.proxy.require": fmt.Sprint(c.Listeners[0].Proxy.Require),
	} {
		if want := stated[key]; want == "" || !sameValue(got, want) {
			t.Errorf("%s: the default is %s, not %q as it is stated", key, got, want)
		}
	}
}

// sameValue tells whether two texts are the same, or the same duration.
func sameValue(a, b string) bool {
	if b == "none" {
		b = "0s"
	}
	x, errX := time.ParseDuration(a)
	y, errY := time.ParseDuration(b)
	return a == b || errX == nil && errY == nil && x == y
}
