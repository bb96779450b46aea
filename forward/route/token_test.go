package route_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"strings"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/forward/route"
)

var (
	key   = []byte("0123456789abcdef")
	other = []byte("fedcba9876543210 and more")
	noon  = time.Unix(1<<33, 0) // needs more than 32 bits
)

func mint(t testing.TB, key []byte, scope string, expiry time.Time) string {
	t.Helper()
	token, err := route.Mint(key, scope, expiry)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// TestMint makes the token by its description.
func TestMint(t *testing.T) {
	expiry := []byte{2, 0, 0, 0, 0}
	mac := hmac.New(sha256.New, key)
	mac.Write(append([]byte("waggle token 1\x00prod\x00"), expiry...))
	want := strings.ToLower(base32.HexEncoding.WithPadding(base32.NoPadding).EncodeToString(mac.Sum(expiry)))
	if got := mint(t, key, "prod", noon); got != want || len(got) != 60 {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestMintErrors(t *testing.T) {
	for want, f := range map[string]func() (string, error){
		"key of 15 bytes": func() (string, error) { return route.Mint(key[1:], "", noon) },
		"out of range":    func() (string, error) { return route.Mint(key, "", time.Unix(-1, 0)) },
		"expiry":          func() (string, error) { return route.Mint(key, "", time.Unix(1<<40, 0)) },
	} {
		if token, err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, %v, want %s", token, err, want)
		}
	}
}

func TestTokens(t *testing.T) {
	good := mint(t, key, "prod", noon.Add(time.Hour))
	changed := []byte(good)
	changed[30] ^= 1
	places := map[route.Place]func(token string) string{
		route.InHeader: func(token string) string { return get("a", "/", "X-Token: "+token) },
		route.InSNI:    func(token string) string { return hello(token + ".example") },
		route.InLine:   func(token string) string { return "TOKEN " + token + "\r\nrest" },
	}
	for _, test := range []struct {
		name, token string
		scope       string
		keys        route.Keys
		want        bool
	}{
		{"good", good, "prod", route.Keys{key}, true},
		{"second key", good, "prod", route.Keys{other, key}, true},
		{"first key", good, "prod", route.Keys{key, other}, true},
		{"other key", good, "prod", route.Keys{other}, false},
		{"other scope", good, "test", route.Keys{key}, false},
		{"no scope", good, "", route.Keys{key}, false},
		{"expired", mint(t, key, "prod", noon), "prod", route.Keys{key}, false},
		{"last second", mint(t, key, "prod", noon.Add(time.Second)), "prod", route.Keys{key}, true},
		{"later expiry", mint(t, key, "prod", noon.Add(2*time.Hour))[:8] + good[8:], "prod", route.Keys{key}, false},
		{"changed", string(changed), "prod", route.Keys{key}, false},
		{"other spelling", good[:59] + string(good[59]+1), "prod", route.Keys{key}, false}, // of the same bytes
		{"longer", good + "0", "prod", route.Keys{key}, false},
		{"shorter", good[:59], "prod", route.Keys{key}, false},
		{"upper case", strings.ToUpper(good), "prod", route.Keys{key}, true},
		{"foreign letter", good[:59] + "z", "prod", route.Keys{key}, false},
		{"empty", "x", "prod", route.Keys{key}, false},
	} {
		for place, wrap := range places {
			header := ""
			if place == route.InHeader {
				header = "x-token"
			}
			table := compile(t, withRest(route.Match{Token: &route.Token{In: place, Header: header, Keys: test.keys, Scope: test.scope}})...)
			in := route.Input{Bytes: []byte(wrap(test.token)), Now: noon}
			got := table.Decide(route.Conn{}, in)
			if got.Verdict != route.Matched || (got.Name == "r") != test.want {
				t.Errorf("%s in %s: got %+v", test.name, place, got)
			}
			if strip := 68; (got.Strip == strip) != (test.want && place == route.InLine) {
				t.Errorf("%s in %s: %d bytes to strip", test.name, place, got.Strip)
			}
			if test.want && test.scope != "" && got.Why != "token="+test.scope {
				t.Errorf("%s in %s: why %q", test.name, place, got.Why)
			}
		}
	}
}

func TestBearer(t *testing.T) {
	table := compile(t, withRest(route.Match{Token: &route.Token{In: route.InHeader, Header: "Authorization", Keys: route.Keys{key}}})...)
	token := mint(t, key, "", time.Now().Add(time.Hour))
	for field, want := range map[string]bool{
		"Bearer " + token: true, "bearer  " + token: true, token: true, "Basic " + token: false, "Bearer": false, "": false,
	} {
		got := table.Decide(route.Conn{}, route.Input{Bytes: []byte(get("a", "/", "Authorization: "+field))})
		if (got.Name == "r") != want {
			t.Errorf("%q: got %+v", field, got)
		}
	}
}

// TestTokenLine: it is told as early as can be, and its end is what is stripped.
func TestTokenLine(t *testing.T) {
	table := compile(t, to(route.Match{Token: &route.Token{In: route.InLine, Keys: route.Keys{key}}}))
	token := mint(t, key, "", noon.Add(time.Hour))
	for _, test := range []struct {
		bytes string
		want  route.Verdict
		strip int
	}{
		{"", route.NeedMore, 0},
		{"TOK", route.NeedMore, 0},
		{"TOKEN " + token[:20], route.NeedMore, 0},
		{"TOKEN " + token, route.NeedMore, 0},
		{"TOKEN " + token + "\r", route.NeedMore, 0},
		{"TOKEN " + token + "\n", route.Matched, 67},
		{"TOKEN " + token + "\r\nSSH-", route.Matched, 68},
		{"X", route.NoRoute, 0},
		{"token ", route.NoRoute, 0},
		{"TOKEN x\n", route.NoRoute, 0},
		{"TOKEN a b", route.NoRoute, 0},
		{"TOKEN " + token + "x", route.NoRoute, 0},
		{"TOKEN " + token + "\rx", route.NoRoute, 0},
	} {
		got := table.Decide(route.Conn{}, route.Input{Bytes: []byte(test.bytes), Now: noon})
		if got.Verdict != test.want || got.Strip != test.strip {
			t.Errorf("%q: got %+v", test.bytes, got)
		}
	}
	if got := table.Decide(route.Conn{}, route.Input{Bytes: []byte("TOKEN " + token), Now: noon, End: route.Deadline}); got.Verdict != route.NoRoute {
		t.Errorf("unfinished line at the deadline: got %+v", got)
	}
}

// TestTokenBeyondTheLimit: with all the bytes that are looked at, nothing is open.
func TestTokenBeyondTheLimit(t *testing.T) {
	table, err := route.Compile([]route.Rule{to(route.Match{Token: &route.Token{In: route.InLine, Keys: route.Keys{key}}})}, route.Options{Max: 20})
	if err != nil {
		t.Fatal(err)
	}
	b := []byte("TOKEN " + mint(t, key, "", noon.Add(time.Hour)) + "\n")
	for n, want := range map[int]route.Verdict{19: route.NeedMore, 20: route.NoRoute, len(b): route.NoRoute} {
		if got := table.Decide(route.Conn{}, route.Input{Bytes: b[:n], Now: noon}); got.Verdict != want {
			t.Errorf("%d bytes: got %+v", n, got)
		}
	}
}

func FuzzToken(f *testing.F) {
	good := mint(f, key, "", noon)
	f.Add([]byte(good))
	f.Add(bytes.ToUpper([]byte(good)))
	f.Add([]byte(good[:10]))
	table, err := route.Compile([]route.Rule{to(route.Match{Token: &route.Token{In: route.InLine, Keys: route.Keys{key}}})}, route.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		in := route.Input{Bytes: append(append([]byte("TOKEN "), b...), '\n'), Now: noon.Add(-time.Hour)}
		if got := table.Decide(route.Conn{}, in); got.Verdict == route.Matched && !strings.EqualFold(string(b[:60]), good) {
			t.Errorf("%q is no token of ours: %+v", b, got)
		}
	})
}
