// Package hook is what is done before a service starts: links to where its files are,
// and its environment.
package hook

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Link is a symbolic link to make: To is to lead to From.
type Link struct{ From, To string }

// ParseLink reads FROM:TO.
func ParseLink(text string) (Link, error) {
	from, to, ok := strings.Cut(text, ":")
	if !ok || from == "" || to == "" || strings.Contains(to, ":") {
		return Link{}, fmt.Errorf("read link %q: it is not FROM:TO", text)
	}
	// What a link says counts from where the link is, not from here.
	from, err := filepath.Abs(from)
	if err != nil {
		return Link{}, fmt.Errorf("read link %q: %w", text, err)
	}
	return Link{from, filepath.Clean(to)}, nil
}

// Make makes the link, and the directories it lies in. A link in its place is replaced,
// and so is an empty directory; other things are not: somebody may want them.
func (l Link) Make() error {
	if err := l.make(); err != nil {
		return fmt.Errorf("link %s to %s: %w", l.To, l.From, err)
	}
	return nil
}

func (l Link) make() error {
	if _, err := os.Stat(l.From); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(l.To), 0o755); err != nil {
		return err
	}
	info, err := os.Lstat(l.To)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return os.Symlink(l.From, l.To)
	case err != nil:
		return err
	case info.Mode().Type() == fs.ModeSymlink:
		if there, err := os.Readlink(l.To); err == nil && there == l.From {
			return nil
		}
	case !info.IsDir():
		return errors.New("a file is in its place")
	}
	if err := os.Remove(l.To); err != nil {
		if info.IsDir() {
			return errors.New("a directory that is not empty is in its place")
		}
		return err
	}
	return os.Symlink(l.From, l.To)
}

// ReadEnv reads a file of environment variables: NAME=VALUE lines, empty ones and such
// that begin with #. A value may be in single or double quotation marks, which are taken
// off; in double ones \n, \t, \", \\ and \$ mean what they do elsewhere. Nothing is expanded.
func ReadEnv(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read environment: %w", err)
	}
	var env []string
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		if !ok || !isName(name) {
			return nil, fmt.Errorf("%s:%d:1: not NAME=VALUE", path, number)
		}
		if value, err = unquote(value); err != nil {
			return nil, fmt.Errorf("%s:%d:%d: %w", path, number, strings.IndexByte(line, '=')+2, err)
		}
		env = append(env, name+"="+value)
	}
	return env, nil
}

func isName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

var escapes = strings.NewReplacer(`\n`, "\n", `\t`, "\t", `\"`, `"`, `\\`, `\`, `\$`, "$")

func unquote(s string) (string, error) {
	if s == "" || s[0] != '"' && s[0] != '\'' {
		return s, nil
	}
	if len(s) < 2 || s[len(s)-1] != s[0] {
		return "", errors.New("a quotation mark is missing at the end")
	}
	inner := s[1 : len(s)-1]
	if s[0] == '\'' {
		return inner, nil
	}
	return escapes.Replace(inner), nil
}
