package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/waggle-bpf/waggle/forward/backend"
	"github.com/waggle-bpf/waggle/forward/route"
	"github.com/waggle-bpf/waggle/internal/testkit"
)

// secrets makes a decoder read its secrets from memory.
func secrets(d *decoder) *decoder {
	d.readFile = func(name string) ([]byte, error) {
		if name != "key" {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		return []byte("0123456789abcdef\r\n"), nil
	}
	d.getenv = func(name string) (string, bool) {
		v, ok := map[string]string{"KEY": "fedcba9876543210", "SHORT": "short"}[name]
		return v, ok
	}
	return d
}

func TestFiles(t *testing.T) {
	testkit.EachArchive(t, "testdata/*.txtar", func(t *testing.T, a *testkit.Archive) {
		c, err := secrets(newDecoder("forward.yaml")).parse(a.Get("forward.yaml"))
		if strings.HasPrefix(filepath.Base(a.Path), "bad_") {
			var errs Errors
			if !errors.As(err, &errs) {
				t.Fatalf("got %v", err)
			}
			a.Want(t, "errors", []byte(err.Error()))
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		a.Want(t, "config", []byte(dump(c)))
	})
}

// dump shows a configuration, for people to compare with its file.
func dump(c *Config) string {
	var b strings.Builder
	for _, l := range c.Listeners {
		def := "refused"
		if l.Default != nil {
			def = l.Default.Name
		}
		fmt.Fprintf(&b, "listener %s %v engine %s default %s proxy %v\n", l.Name, l.Address, l.Engine, def, l.Proxy)
		for _, r := range l.Routes {
			fmt.Fprintf(&b, "  %s -> %s%s {%s}\n", r.Name, r.Target, r.Refuse, dumpMatch(&r.When))
		}
	}
	for _, g := range c.Groups {
		fmt.Fprintf(&b, "group %s %v policy %v proxy %d\n", g.Name, g.Targets, g.Policy, g.SendProxy)
		if g.ConnectTimeout+g.ResolveTTL > 0 || g.Attempts > 0 || g.Control != nil {
			fmt.Fprintf(&b, "  connect %v attempts %d control %t resolve %v\n", g.ConnectTimeout, g.Attempts, g.Control != nil, g.ResolveTTL)
		}
		if g.Check != nil {
			fmt.Fprintf(&b, "  check %+v proxy %d\n", *g.Check, g.CheckProxy)
		}
		if g.Eject != (backend.Eject{}) {
			fmt.Fprintf(&b, "  eject %+v\n", g.Eject)
		}
	}
	fmt.Fprintf(&b, "timeouts %+v\nlimits %+v\n", c.Timeouts, c.Limits)
	if a := c.AccessLog; a != nil {
		fmt.Fprintf(&b, "access log %s %v\n", a.Path, a.Format)
	}
	if c.Metrics != "" {
		fmt.Fprintf(&b, "metrics %s\n", c.Metrics)
	}
	fmt.Fprintf(&b, "drain %v persist %t\n", c.Drain, c.Persist)
	return b.String()
}

// dumpMatch shows the conditions that are set.
func dumpMatch(m *route.Match) string {
	var list []string
	add := func(name string, v any) {
		if s := fmt.Sprint(v); s != "[]" && s != "" && s != "0" && s != "false" {
			list = append(list, name+":"+s)
		}
	}
	add("Protocol", m.Protocol)
	add("SNI", m.SNI)
	add("Host", m.Host)
	add("ALPN", m.ALPN)
	add("Method", m.Method)
	add("Path", m.Path)
	add("PathPrefix", m.PathPrefix)
	add("Headers", m.Headers)
	add("SSH", m.SSH)
	add("Prefix", strings.ReplaceAll(fmt.Sprintf("%q", m.Prefix), "[]", ""))
	add("Regexp", m.Regexp)
	add("Expr", m.Expr)
	add("Window", m.Window)
	add("Source", m.Source)
	add("Peer", m.Peer)
	add("Proxied", m.Proxied)
	add("Port", m.Port)
	if m.Token != nil {
		add("Token", fmt.Sprintf("%s %s %s %v", m.Token.In, m.Token.Header, m.Token.Scope, m.Token.Keys))
	}
	add("Silent", m.Silent)
	return strings.Join(list, " ")
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "forward.yaml")
	_, err := Load(path)
	if !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "load configuration: ") {
		t.Errorf("got %v", err)
	}
	const text = `
listeners: {a: {address: ":80", routes: [{to: web, token: {in: line, scope: s, keys: ["file:secret"]}}]}}
groups: {web: [10.0.0.1:80]}
`
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("forward.yaml", text)
	// Files are looked for beside the configuration.
	if _, err := Load(path); err == nil || !strings.HasPrefix(err.Error(), path+":2:") || !strings.Contains(err.Error(), filepath.Join(dir, "secret")) {
		t.Errorf("got %v", err)
	}
	write("secret", "0123456789abcdef\n")
	c, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(c.Listeners[0].Routes[0].When.Token.Keys[0]); got != "0123456789abcdef" {
		t.Errorf("the key is %q", got)
	}
	write("secret", strings.Repeat("x", maxSecret+1))
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "more than 65536 bytes") {
		t.Errorf("got %v", err)
	}
	write("forward.yaml", strings.Repeat("#", maxFile+1))
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "more than 4194304 bytes") {
		t.Errorf("got %v", err)
	}
}

// TestSecretsAreNotShown: what was meant to be a secret is in no error.
func TestSecretsAreNotShown(t *testing.T) {
	for _, key := range []string{"correct horse battery", "file:nothing", "env:SHORT", "[correct horse battery]"} {
		text := fmt.Sprintf(`
listeners: {a: {address: ":80", routes: [{to: web, token: {in: line, scope: s, keys: %s}}]}}
groups: {web: [10.0.0.1:80]}`, key)
		_, err := secrets(newDecoder("f")).parse([]byte(text))
		if err == nil || strings.Contains(err.Error(), "horse") || strings.Contains(err.Error(), "short\"") {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// TestGroupsAreComplete: what Load returns makes a group.
func TestGroupsAreComplete(t *testing.T) {
	c, err := secrets(newDecoder("f")).parse(testkit.OpenArchive(t, "testdata/full.txtar").Get("forward.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range c.Groups {
		made := g.Config
		made.Check = nil // nothing to be dialled here
		made.Targets = slices.DeleteFunc(slices.Clone(g.Targets), func(t backend.Target) bool { return strings.Contains(t.Address, "internal") })
		if len(made.Targets) == 0 {
			continue
		}
		b, err := backend.New(made, nil)
		if err != nil {
			t.Errorf("%s: %v", g.Name, err)
			continue
		}
		b.Close()
	}
}

func TestSimple(t *testing.T) {
	c, err := Simple(":8080", "10.0.0.1:80", "web.internal:80")
	if err != nil {
		t.Fatal(err)
	}
	const want = `listener :8080 [::]:8080 engine auto default 10.0.0.1:80,web.internal:80 proxy {[] false}
group 10.0.0.1:80,web.internal:80 [{10.0.0.1:80 0} {web.internal:80 0}] policy round-robin proxy 0
timeouts {Header:5s Idle:24h0m0s Lifetime:0s HalfClose:1h0m0s}
limits {Connections:0 PerSource:0 HeaderBytes:65536 ReserveFiles:64}
drain 30s persist true
`
	if got := dump(c); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, test := range []struct {
		listen string
		to     []string
		want   string
	}{
		{"8080", []string{"a:1"}, `listen: "8080" is not the address of a listener such as :443, 127.0.0.1:80 or [2001:db8::1]:80`},
		{":80", nil, "forward: no backend"},
		{":80", []string{"a"}, `forward: address "a" is not HOST:PORT`},
		{":80", []string{"a:1", "a:1"}, "forward: backend a:1 is there twice"},
		{":80", []string{"a:1", "127.0.0.1:80"}, "forward: backend 127.0.0.1:80 is the listener: connections would come back"},
	} {
		if _, err := Simple(test.listen, test.to...); err == nil || err.Error() != test.want {
			t.Errorf("%s to %v: got %v, want %s", test.listen, test.to, err, test.want)
		}
	}
}

// TestScalars reads the forms that values may have; the archives have what they may not.
func TestScalars(t *testing.T) {
	d := newDecoder("f")
	var dur time.Duration
	var size int
	var yes bool
	for _, test := range []struct {
		set  setter
		in   string
		got  any
		want any
	}{
		{d.duration(&dur), "1m30s", &dur, 90 * time.Second},
		{d.timeout(&dur), "none", &dur, time.Duration(0)},
		{d.timeout(&dur), "0", &dur, time.Duration(0)},
		{d.size(&size, 0, 1<<20), "1024", &size, 1024},
		{d.size(&size, 0, 1<<20), "12B", &size, 12},
		{d.size(&size, 0, 1<<20), "64 KiB", &size, 64 << 10},
		{d.size(&size, 0, 1<<20), "1MiB", &size, 1 << 20},
		{d.boolean(&yes), "true", &yes, true},
		{d.boolean(&yes), "False", &yes, false},
	} {
		test.set(&yaml.Node{Kind: yaml.ScalarNode, Value: test.in, Tag: "!!str"})
		var got any
		switch p := test.got.(type) {
		case *time.Duration:
			got = *p
		case *int:
			got = *p
		case *bool:
			got = *p
		}
		if got != test.want {
			t.Errorf("%s: got %v, want %v", test.in, got, test.want)
		}
	}
	if len(d.errs) > 0 {
		t.Error(d.errs)
	}
}

// TestAliasBomb: a small file can't stand for a large configuration.
func TestAliasBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("groups:\n  first: &g\n")
	for i := range 2000 {
		fmt.Fprintf(&b, "    - a:%d\n", i+1)
	}
	for i := range 2000 {
		fmt.Fprintf(&b, "  g%d: *g\n", i)
	}
	began := time.Now()
	_, err := Parse("f", []byte(b.String()))
	if err == nil || !strings.Contains(err.Error(), "more than 262144 values") {
		t.Errorf("got %.300v", err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}

func FuzzParse(f *testing.F) {
	archives, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(archives) == 0 {
		f.Fatal("no seeds", err)
	}
	for _, name := range archives {
		f.Add(testkit.OpenArchive(f, name).Get("forward.yaml"))
	}
	shown, err := os.ReadFile(example)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(shown)
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := secrets(newDecoder("f")).parse(data)
		if (c == nil) != (err != nil) {
			t.Fatalf("configuration %v with error %v", c, err)
		}
		if err == nil {
			sound(t, c)
			return
		}
		lines := 2 // YAML ends lines with more than new lines
		for _, end := range []string{"\n", "\r", "\u0085", "\u2028", "\u2029"} {
			lines += strings.Count(string(data), end)
		}
		for _, e := range err.(Errors) {
			if e.Line < 1 || e.Line > lines || e.Col < 1 || strings.ContainsAny(e.Msg, "\n\x00\x1b") || e.Msg == "" {
				t.Errorf("error %q of a file of %d lines", e.Error(), lines)
			}
		}
	})
}

// sound looks for what a configuration without errors must not be.
func sound(t *testing.T, c *Config) {
	t.Helper()
	if len(c.Listeners) == 0 {
		t.Error("no listener")
	}
	for _, l := range c.Listeners {
		if !l.Address.IsValid() || l.Default == nil && l.Table == nil || len(l.Routes) > 0 != (l.Table != nil) || !slices.Contains(Engines, l.Engine) {
			t.Errorf("listener %+v", l)
		}
		for _, r := range l.Routes {
			known := slices.ContainsFunc(c.Groups, func(g *Group) bool { return g.Name == r.Target })
			if known == (r.Refuse != route.Forward) || r.Name == "" {
				t.Errorf("route %+v", r)
			}
		}
	}
	for _, g := range c.Groups {
		made := g.Config
		made.Check = nil
		for _, target := range made.Targets {
			if _, _, err := backend.SplitAddress(target.Address); err != nil {
				t.Error(err)
			}
		}
		if len(made.Targets) == 0 {
			t.Errorf("group %s has no backends", g.Name)
		}
	}
}

// TestParseTimes: what none and 0 stand for.
func TestParseTimes(t *testing.T) {
	for _, test := range []struct {
		text           string
		timeout, drain time.Duration
	}{
		{"none", 0, -1},
		{"0", 0, 0},
		{"1m30s", 90 * time.Second, 90 * time.Second},
	} {
		timeout, err := ParseTimeout(test.text)
		drain, err2 := ParseDrain(test.text)
		if timeout != test.timeout || drain != test.drain || err != nil || err2 != nil {
			t.Errorf("%s: got %v, %v and %v, %v, want %v and %v", test.text, timeout, err, drain, err2, test.timeout, test.drain)
		}
	}
	for _, text := range []string{"", "-5s", "5", "soon", "1us"} {
		if d, err := ParseTimeout(text); err == nil {
			t.Errorf("time-out %q: got %v", text, d)
		}
		if d, err := ParseDrain(text); err == nil {
			t.Errorf("drain %q: got %v", text, d)
		}
	}
}
