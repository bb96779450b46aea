package hook

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParseLink(t *testing.T) {
	if l, err := ParseLink("/data/ssh:/root"); err != nil || l != (Link{"/data/ssh", "/root"}) {
		t.Errorf("got %+v, %v", l, err)
	}
	dir := t.TempDir()
	t.Chdir(dir)
	if l, err := ParseLink("share/x/:home/"); err != nil || l != (Link{dir + "/share/x", "home"}) {
		t.Errorf("got %+v, %v", l, err)
	}
	for _, text := range []string{"", "x", ":x", "x:", "a:b:c"} {
		if l, err := ParseLink(text); err == nil {
			t.Errorf("%q: got %+v", text, l)
		}
	}
}

func TestMake(t *testing.T) {
	for _, test := range []struct {
		name   string
		before func(t *testing.T, to string) // what is in the link's place
		err    string
	}{
		{"nothing", func(*testing.T, string) {}, ""},
		{"the same link", func(t *testing.T, to string) {
			must(t, os.Symlink(filepath.Join(filepath.Dir(filepath.Dir(to)), "from"), to))
		}, ""},
		{"another link", func(t *testing.T, to string) { must(t, os.Symlink("/nowhere", to)) }, ""},
		{"an empty directory", func(t *testing.T, to string) { must(t, os.Mkdir(to, 0o700)) }, ""},
		{"a directory", func(t *testing.T, to string) { must(t, os.MkdirAll(to+"/x", 0o700)) }, "a directory that is not empty is in its place"},
		{"a file", func(t *testing.T, to string) { must(t, os.WriteFile(to, []byte("mine"), 0o600)) }, "a file is in its place"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			l := Link{From: filepath.Join(dir, "from"), To: filepath.Join(dir, "sub", "to")}
			must(t, os.WriteFile(l.From, []byte("hello"), 0o600))
			if test.name != "nothing" { // then the directory is to be made, too
				must(t, os.Mkdir(filepath.Dir(l.To), 0o700))
			}
			test.before(t, l.To)
			err := l.Make()
			if test.err != "" {
				if err == nil || !strings.HasSuffix(err.Error(), test.err) {
					t.Errorf("got %v, want %s", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if b, err := os.ReadFile(l.To); err != nil || string(b) != "hello" {
				t.Errorf("got %q, %v", b, err)
			}
		})
	}
	if err := (Link{"/no/such/file", filepath.Join(t.TempDir(), "x")}).Make(); err == nil {
		t.Error("a link to nothing was made")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestReadEnv(t *testing.T) {
	file := filepath.Join(t.TempDir(), "env")
	must(t, os.WriteFile(file, []byte(`
# comment
A=1
export B = x
_C2="two\nlines \"quoted\" \\ \$HOME"
D='as $it is\n'
E=
F=a=b #c
`), 0o600))
	got, err := ReadEnv(file)
	if err == nil || !strings.HasSuffix(err.Error(), "env:4:1: not NAME=VALUE") {
		t.Errorf("got %q, %v", got, err)
	}
	text, _ := os.ReadFile(file)
	must(t, os.WriteFile(file, []byte(strings.Replace(string(text), "B = x", "B=x", 1)), 0o600))
	got, err = ReadEnv(file)
	want := []string{"A=1", "B=x", "_C2=two\nlines \"quoted\" \\ $HOME", `D=as $it is\n`, "E=", "F=a=b #c"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	for text, want := range map[string]string{
		"A":          "env:1:1: not NAME=VALUE",
		"\n\n1A=x":   "env:3:1: not NAME=VALUE",
		"A='x":       "env:1:3: a quotation mark is missing at the end",
		"OK=1\nA=\"": "env:2:3: a quotation mark is missing at the end",
	} {
		must(t, os.WriteFile(file, []byte(text), 0o600))
		if got, err := ReadEnv(file); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%q: got %q, %v, want %s", text, got, err, want)
		}
	}
	if _, err := ReadEnv("/no/such/file"); err == nil {
		t.Error("a file that isn't there was read")
	}
}
