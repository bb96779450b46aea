package source

import (
	"go/token"
	"go/types"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseDirective(t *testing.T) {
	for _, test := range []struct {
		text, word, args string
		ok               bool
	}{
		{"//bpf:xdp", "xdp", "", true},
		{"//bpf:tcx/ingress", "tcx/ingress", "", true},
		{"//bpf:tracepoint  sock/inet \t", "tracepoint", "sock/inet", true},
		{"//bpf:fault\t-1\r", "fault", "-1", true},
		{"//bpf:license \"Dual MIT/GPL\"", "license", `"Dual MIT/GPL"`, true},
		{"//bpf:", "", "", true},
		{"//bpf: xdp", "", "xdp", true},
		{"// bpf:xdp", "", "", false},
		{"/*bpf:xdp*/", "", "", false},
		{"//go:noinline", "", "", false},
	} {
		word, args, ok := parseDirective(test.text)
		if word != test.word || args != test.args || ok != test.ok {
			t.Errorf("parseDirective(%q) = %q, %q, %t", test.text, word, args, ok)
		}
	}
}

// helperSig is func (m *T) f(key T, n int, s string).
func helperSig() *types.Func {
	v := func(name string, t types.Type) *types.Var { return types.NewParam(token.NoPos, nil, name, t) }
	params := types.NewTuple(v("key", types.Typ[types.Uint32]), v("n", types.Typ[types.Int]), v("s", types.Typ[types.String]))
	sig := types.NewSignatureType(v("m", types.Typ[types.Int]), nil, nil, params, nil, false)
	return types.NewFunc(token.NoPos, types.NewPackage("p", "p"), "f", sig)
}

func TestParseLowering(t *testing.T) {
	for _, test := range []struct {
		text string
		want *Lowering
		err  string
	}{
		{text: "helper ktime_get_ns()", want: &Lowering{Helper: "ktime_get_ns"}},
		{text: "helper h(m, &key, n, s.ptr, s.len)", want: &Lowering{Helper: "h", Args: []Arg{
			{Kind: ArgParam, Param: 0}, {Kind: ArgRef, Param: 1}, {Kind: ArgParam, Param: 2},
			{Kind: ArgPtr, Param: 3}, {Kind: ArgLen, Param: 3}}}},
		{text: "helper h(&0, sizeof(key), sizeof(T), -1, 0xffffffff)", want: &Lowering{Helper: "h", Args: []Arg{
			{Kind: ArgRef, Param: -1}, {Kind: ArgSizeof, Param: 1}, {Kind: ArgSizeof, Param: -1, Type: "T"},
			{Kind: ArgInt, Int: -1}, {Kind: ArgInt, Int: 0xffffffff}}}},
		{text: "helper h(sizeof(packet.Addr))", want: &Lowering{Helper: "h", Args: []Arg{{Kind: ArgSizeof, Param: -1, Type: "packet.Addr"}}}},
		{text: "intrinsic packet.data data dataEnd", want: &Lowering{Intrinsic: "packet.data", Words: []string{"data", "dataEnd"}}},
		{text: "intrinsic", err: "names none"},
		{text: "helper h(m)!", want: &Lowering{Helper: "h", NotNil: true, Args: []Arg{{Kind: ArgParam, Param: 0}}}},
		{text: "helper h(m!)", err: `no parameter "m!"`},
		{text: "helper h", err: "not of the form"},
		{text: "helper (m)", err: "not of the form"},
		{text: "helper h(m", err: "not of the form"},
		{text: "helper h(x)", err: `no parameter "x"`},
		{text: "helper h(&x)", err: `no parameter "x"`},
		{text: "helper h(m,)", err: `no parameter ""`},
		{text: "helper h(m, m, m, m, m, m)", err: "more than 5"},
		{text: "helper h(sizeof())", err: `no parameter ""`},
	} {
		word, args, _ := parseDirective(directivePrefix + test.text)
		got, err := parseLowering(directive{word: word, args: args}, helperSig())
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("%s: got error %v, want %q", test.text, err, test.err)
			}
			continue
		}
		if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", test.text, err, diff)
		}
	}
}

func TestClosest(t *testing.T) {
	for word, want := range map[string]string{
		"xpd": "", "xdpp": "xdp", "tcx/ingres": "tcx/ingress", "lisence": "license",
		"Xdp": "xdp", "sock_ops": "sockops", "quux": "", "": "", "noinlin": "noinline",
	} {
		if got := closest(word); got != want {
			t.Errorf("closest(%q) = %q, want %q", word, got, want)
		}
	}
}

func FuzzDirective(f *testing.F) {
	for _, seed := range []string{"xdp", "tracepoint a/b", "helper h(m, &key, sizeof(T))", "intrinsic x y", "fault -1", "license \"GPL\"", "const"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		word, args, ok := parseDirective(directivePrefix + text)
		if !ok || strings.ContainsAny(word, " \t") || args != strings.Trim(args, " \t") {
			t.Errorf("parseDirective(%q) = %q, %q, %t", text, word, args, ok)
		}
		closest(word)
		low, err := parseLowering(directive{word: word, args: args}, helperSig())
		if (low == nil) == (err == nil) {
			t.Errorf("parseLowering(%q) = %v, %v", text, low, err)
		}
		if low != nil && len(low.Args) > maxHelperArgs {
			t.Errorf("parseLowering(%q) has %d arguments", text, len(low.Args))
		}
	})
}

// FuzzLoad wants an answer, not a panic, to any file.
func FuzzLoad(f *testing.F) {
	for _, r := range Rules {
		f.Add(r.Example)
	}
	f.Fuzz(func(t *testing.T, src string) {
		if strings.Contains(src, "example.com") {
			t.Skip("would ask the go command")
		}
		pkg, err := Load(Config{Files: map[string][]byte{"p.go": []byte(src)}})
		if (pkg == nil) == (err == nil) {
			t.Errorf("Load = %v, %v", pkg, err)
		}
	})
}
