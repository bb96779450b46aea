package accesslog

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

var start = time.Date(2026, 11, 21, 11, 18, 9, 123456789, time.FixedZone("CET", 3600))

var full = Record{
	Start:    start,
	Duration: 61*time.Second + 2345*time.Microsecond + 999,
	Client:   netip.MustParseAddrPort("[::ffff:10.0.0.7]:51234"),
	Source:   netip.MustParseAddrPort("[2001:db8::7]:40000"),
	Listener: "public", Route: "api", Why: "sni=api.example.org", Name: "api.example.org",
	Backend: "10.1.0.1:443", Up: 1234, Down: 18446744073709551615,
	Close: "client closed", Engine: "packet", EngineWhy: "both sides have timestamps",
}

func TestFormat(t *testing.T) {
	for _, test := range []struct {
		name       string
		record     Record
		text, json string
	}{
		{
			"full", full,
			`time=2026-11-21T10:18:09.123Z client=10.0.0.7:51234 source=[2001:db8::7]:40000 listener=public route=api why="sni=api.example.org" name=api.example.org backend=10.1.0.1:443 up=1234 down=18446744073709551615 duration=61.002345s close="client closed" engine=packet engine_why="both sides have timestamps"`,
			`{"time":"2026-11-21T10:18:09.123Z","client":"10.0.0.7:51234","source":"[2001:db8::7]:40000","listener":"public","route":"api","why":"sni=api.example.org","name":"api.example.org","backend":"10.1.0.1:443","up":1234,"down":18446744073709551615,"duration":61.002345,"close":"client closed","engine":"packet","engine_why":"both sides have timestamps"}`,
		},
		{
			"refused", Record{Start: start, Duration: 5 * time.Second, Client: netip.MustParseAddrPort("192.0.2.1:1"), Listener: "ssh", Refused: "header timeout"},
			`time=2026-11-21T10:18:09.123Z client=192.0.2.1:1 listener=ssh refused="header timeout" duration=5.000000s`,
			`{"time":"2026-11-21T10:18:09.123Z","client":"192.0.2.1:1","listener":"ssh","refused":"header timeout","duration":5.000000}`,
		},
		{
			"hostile", Record{Start: start, Duration: -1, Why: "a\nclient=1.2.3.4 \"\\\x00\x7f\u0085\u2028\xff\ue000é", Err: "x=y"},
			`time=2026-11-21T10:18:09.123Z why="a\nclient=1.2.3.4 \"\\\u0000\u007f\u0085\u2028\ufffd` + "\ue000é" + `" up=0 down=0 duration=0.000000s error="x=y"`,
			`{"time":"2026-11-21T10:18:09.123Z","why":"a\nclient=1.2.3.4 \"\\\u0000\u007f\u0085\u2028\ufffd` + "\ue000é" + `","up":0,"down":0,"duration":0.000000,"error":"x=y"}`,
		},
		{
			"long", Record{Start: start, Name: strings.Repeat("é", 300)},
			`time=2026-11-21T10:18:09.123Z name="` + strings.Repeat("é", 256) + `..." up=0 down=0 duration=0.000000s`,
			`{"time":"2026-11-21T10:18:09.123Z","name":"` + strings.Repeat("é", 256) + `...","up":0,"down":0,"duration":0.000000}`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			for f, want := range []string{test.text, test.json} {
				want = strings.ReplaceAll(want, `\n`, `\u000a`) + "\n"
				if got := string(Format(f).append(nil, &test.record)); got != want {
					t.Errorf("%v: got\n%s\nwant\n%s", Format(f), got, want)
				}
			}
		})
	}
}

// TestTime: the time is what package time makes of it.
func TestTime(t *testing.T) {
	for _, when := range []time.Time{
		start, time.Unix(0, 0), time.Unix(1<<31, 999999999), time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC), time.Date(2000, 2, 29, 0, 0, 0, 1e6, time.UTC),
	} {
		l := line{}
		l.time("t", when)
		if want := when.UTC().Format("t=2006-01-02T15:04:05.000Z"); string(l.b) != want {
			t.Errorf("got %s, want %s", l.b, want)
		}
	}
}

// FuzzFormat: whatever the texts are, a record is one line, of valid JSON or of
// key=value pairs, which say what the record says and nothing else.
func FuzzFormat(f *testing.F) {
	f.Add("sni=a", "api.example.org", "client closed", int64(1234567))
	f.Add("\n\r\t\x1b[31m", "a=b c=\"d\"", "\xff\xfe", int64(-5))
	f.Add(strings.Repeat("\u2028", 600), `\`, `"`, int64(1<<62))
	f.Fuzz(func(t *testing.T, why, name, closeCause string, duration int64) {
		r := Record{Start: start, Duration: time.Duration(duration), Why: why, Name: name, Close: closeCause, Up: 1}
		want := map[string]string{"why": shown(why), "name": shown(name), "close": shown(closeCause)}
		for key, v := range want {
			if v == "" {
				delete(want, key)
			}
		}
		want["time"], want["up"], want["down"] = "2026-11-21T10:18:09.123Z", "1", "0"

		b := JSON.append(nil, &r)
		oneLine(t, b)
		var object map[string]any
		d := json.NewDecoder(strings.NewReader(string(b)))
		d.UseNumber()
		if err := d.Decode(&object); err != nil {
			t.Fatalf("%v in %s", err, b)
		}
		got := make(map[string]string)
		for k, v := range object {
			got[k] = fmt.Sprint(v)
		}
		same(t, got, want)

		b = Text.append(nil, &r)
		oneLine(t, b)
		same(t, logfmt(t, string(b)), want)
	})
}

// shown is what of a text a log shows.
func shown(s string) string {
	if len(s) > maxValue {
		s = strings.ToValidUTF8(s[:maxValue], "") + "..."
	}
	// As JSON does: a replacement character for each bad byte.
	return string([]rune(s))
}

func oneLine(t *testing.T, b []byte) {
	t.Helper()
	s, ok := strings.CutSuffix(string(b), "\n")
	if !ok || !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) {
		t.Fatalf("not a line of printable text: %q", b)
	}
}

func same(t *testing.T, got, want map[string]string) {
	t.Helper()
	if _, err := strconv.ParseFloat(strings.TrimSuffix(got["duration"], "s"), 64); err != nil {
		t.Errorf("duration: %v", err)
	}
	delete(got, "duration")
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// logfmt reads key=value pairs.
func logfmt(t *testing.T, s string) map[string]string {
	t.Helper()
	pairs := make(map[string]string)
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimPrefix(s, " ") {
		key, rest, ok := strings.Cut(s, "=")
		if !ok {
			t.Fatalf("no key=value: %q", s)
		}
		if !strings.HasPrefix(rest, `"`) {
			pairs[key], s, _ = strings.Cut(rest, " ")
			continue
		}
		d := json.NewDecoder(strings.NewReader(rest))
		var value string
		if err := d.Decode(&value); err != nil {
			t.Fatalf("%v in %q", err, rest)
		}
		pairs[key], s = value, rest[d.InputOffset():]
	}
	return pairs
}

func TestFormats(t *testing.T) {
	for i, name := range Formats() {
		if f, err := ParseFormat(name); err != nil || f != Format(i) || f.String() != name {
			t.Errorf("%s: %v, %v", name, f, err)
		}
	}
	if _, err := ParseFormat("xml"); err == nil || !strings.Contains(err.Error(), "text, json") {
		t.Errorf("unknown format: %v", err)
	}
}

// TestDocumented: the reference explains every key, and no others.
func TestDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/forward.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## Access log\n")
	section, _, _ = strings.Cut(section, "\n## ")
	documented := make(map[string]bool)
	for _, row := range regexp.MustCompile(`(?m)^\| ([^|]*) \|`).FindAllStringSubmatch(section, -1) {
		for _, m := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(row[1], -1) {
			documented[m[1]] = true
		}
	}
	all, refused := full, Record{Start: start, Refused: "x", Err: "x"}
	have := make(map[string]bool)
	for _, r := range []*Record{&all, &refused} {
		for key := range logfmt(t, string(Text.append(nil, r))) {
			have[key] = true
		}
	}
	if diff := cmp.Diff(have, documented); diff != "" {
		t.Errorf("docs/forward.md differs (-have +documented):\n%s", diff)
	}
}
