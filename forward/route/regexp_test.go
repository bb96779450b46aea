package route_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/waggle-bpf/waggle/forward/route"
)

// latin1 makes a character of each byte, as route's regular expressions see them.
func latin1(b []byte) string {
	r := make([]rune, len(b))
	for i, c := range b {
		r[i] = rune(c)
	}
	return string(r)
}

// compareRegexp compares with package regexp, at the end of the stream, and checks
// that what was said before, with fewer bytes, is what was said then.
func compareRegexp(t *testing.T, pattern string, b []byte, window int) {
	t.Helper()
	table, err := route.Compile([]route.Rule{to(route.Match{Regexp: pattern, Window: window})}, route.Options{})
	if err != nil {
		return
	}
	theirs := regexp.MustCompile(`(?s)` + pattern)
	if window == 0 {
		window = 1024
	}
	seen := b[:min(len(b), window)]
	// The leftmost match begins at the first byte if any does.
	found := theirs.FindStringIndex(latin1(seen))
	want := found != nil && found[0] == 0
	d := table.Begin(route.Conn{})
	for n := range len(b) + 1 {
		in := route.Input{Bytes: b[:n]}
		if n == len(b) {
			in.End = route.Closed
		}
		got := d.Decide(in)
		if got.Verdict == route.NeedMore {
			if n > window {
				t.Fatalf("%q: undecided after %d bytes, with a window of %d", pattern, n, window)
			}
			continue
		}
		if (got.Verdict == route.Matched) != want {
			t.Fatalf("%q on %q (window %d): %+v after %d bytes, regexp says %t", pattern, b, window, got, n, want)
		}
	}
	if got := table.Decide(route.Conn{}, route.Input{Bytes: b, End: route.Closed}); (got.Verdict == route.Matched) != want {
		t.Fatalf("%q on %q (window %d): %+v at once, regexp says %t", pattern, b, window, got, want)
	}
}

func TestRegexp(t *testing.T) {
	patterns := []string{
		"a", "ab|ac", "a+b", "(ab)*c", "a.c", "(?i)aBc", "[^a]b", `\x00\xff`, `a$`, `a\z`, `(?m)a$`, `(?m)a$\nb`, `^a`, `a\b`, `a\b.`, `a\B`, `a\Bb`, `\bab`,
		`.*c`, `.{3}`, `a{2,3}$`, `(a|b)*\b\x00`, `[[:digit:]]+;`, `\pL+;`, `(?i)\xe9`, `a?$`, `$`, `\b`, `a(?m:^)b`, `a\n(?m:^)b`, `(a*)*b`, `(?U)a+b`,
	}
	inputs := []string{"", "a", "b", "ab", "abc", "aab", "aaa", "ababc", "a\nb", "a\n", "A", "ABC", "\x00\xff", "\xe9", "\xc9;", "12;", "a\x00", "ac", "\xc3\xa9;", "xyz"}
	for _, p := range patterns {
		for _, s := range inputs {
			for _, window := range []int{0, 1, 2} {
				compareRegexp(t, p, []byte(s), window)
			}
		}
	}
}

// TestRegexpEarly: a verdict needs no more bytes than can change it.
func TestRegexpEarly(t *testing.T) {
	for _, test := range []struct {
		pattern, bytes string
		want           route.Verdict
	}{
		{"abc", "ab", route.NeedMore},
		{"abc", "abc", route.Matched},
		{"abc", "x", route.NoRoute},
		{"abc", "ax", route.NoRoute},
		{".*c", "ab", route.NeedMore},
		{`ab\b`, "ab", route.NeedMore},
		{`ab\b`, "ab ", route.Matched},
		{`ab\b`, "abc", route.NoRoute},
		{`ab\b|a`, "a", route.Matched},
		{`ab$`, "ab", route.NeedMore},
		{`ab$`, "abc", route.NoRoute},
		{`a.*`, "a", route.Matched},
	} {
		got := compile(t, to(route.Match{Regexp: test.pattern})).Decide(route.Conn{}, route.Input{Bytes: []byte(test.bytes)})
		if got.Verdict != test.want {
			t.Errorf("%s on %q: got %+v", test.pattern, test.bytes, got)
		}
	}
}

// TestRegexpCost: what backtracking engines choke on.
func TestRegexpCost(t *testing.T) {
	table := compile(t, to(route.Match{Regexp: `(a?){30}(a*)*(a|aa)+b`, Window: 4096}))
	d := table.Begin(route.Conn{})
	b := []byte(strings.Repeat("a", 4096))
	for n := range b {
		if got := d.Decide(route.Input{Bytes: b[:n]}); got.Verdict != route.NeedMore {
			t.Fatalf("%d bytes: %+v", n, got)
		}
	}
	if got := d.Decide(route.Input{Bytes: b}); got.Verdict != route.NoRoute {
		t.Errorf("got %+v", got)
	}
}

func FuzzRegexp(f *testing.F) {
	f.Add(`a+(b|\xff)\b$`, []byte("aab\xff"), byte(0))
	f.Add(`(?m)^a.*$\n`, []byte("abc\nd"), byte(3))
	f.Add(`(?i)[^[:alpha:]]x{2,5}?`, []byte("1xX"), byte(9))
	f.Fuzz(func(t *testing.T, pattern string, b []byte, window byte) {
		if len(pattern) > 100 {
			return
		}
		compareRegexp(t, pattern, b[:min(len(b), 200)], int(window))
	})
}
