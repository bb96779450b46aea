package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waggle-bpf/waggle/compile"
	"github.com/waggle-bpf/waggle/internal/compiler/diag"
	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/load"
)

func TestExitCodes(t *testing.T) {
	var diags diag.List
	diags.Add(token.Position{Filename: "a.go", Line: 1, Column: 2}, "W0101", "do that", "no %s", "good")
	diags.Add(token.Position{Filename: "a.go", Line: 3, Column: 4}, "", "", "nor this")
	verifier := &load.VerifierError{Program: "P", Pos: load.Pos{File: "p.go", Line: 7, Col: 2}, Sentence: "bad"}
	for _, test := range []struct {
		err    error
		code   int
		stderr string
	}{
		{nil, 0, ""},
		{fmt.Errorf("write: %w", syscall.EPIPE), 0, ""},
		{errors.Join(fmt.Errorf("print: %w", syscall.EPIPE), errors.Join(nil, &faultError{[]string{"a.go:3: x"}})), 3, "fault: a.go:3: x\n"},
		{context.Canceled, 1, "waggle: context canceled\n"},
		{errors.New("open x: gone"), 1, "waggle: open x: gone\n"},
		{errors.Join(errors.New("a"), fmt.Errorf("b: %w", errors.New("c"))), 1, "waggle: a\nwaggle: b: c\n"},
		{diags, 2, "a.go:1:2: no good; do that [W0101]\na.go:3:4: nor this\n"},
		{diags[1], 2, "a.go:3:4: nor this\n"},
		{badInputf("no %s", "name"), 2, "waggle: no name\n"},
		{badInput(os.ErrNotExist), 2, "waggle: file does not exist\n"},
		{badInput(&load.PrivilegeError{Op: "load", Capability: "CAP_BPF"}), 4, "waggle: load: needs CAP_BPF\n"},
		{&faultError{[]string{"a.go:3: x", "a.go:4: y"}}, 3, "fault: a.go:3: x\nfault: a.go:4: y\n"},
		{fmt.Errorf("load: %w", &load.UnsupportedError{Op: "attach", Feature: "tcx", MinKernel: "6.6"}), 4,
			"waggle: load: attach: this kernel has no tcx (Linux 6.6 has)\n"},
		{verifier, 1, "p.go:7:2: program P: bad\n"},
		{errors.Join(verifier, errors.New("x")), 1, "p.go:7:2: program P: bad\nwaggle: x\n"},
		{&load.VerifierError{Program: "P", Sentence: "bad"}, 1, "waggle: program P: bad\n"},
	} {
		var stderr bytes.Buffer
		if code := report(&stderr, test.err); code != test.code || stderr.String() != test.stderr {
			t.Errorf("%v: got %d and %q, want %d and %q", test.err, code, stderr.String(), test.code, test.stderr)
		}
	}
}

func TestBareArguments(t *testing.T) {
	for in, want := range map[string]string{
		"exec ./m Div -7 3":   "exec ./m Div -- -7 3",
		"exec ./m Div":        "exec ./m Div --",
		"exec ./m":            "exec ./m",
		"exec --help":         "exec --help",
		"exec -h ./m Div -1":  "exec -h ./m Div -- -1",
		"exec ./m Div -- -7":  "exec ./m Div -- -7",
		"exec -- ./m Div -7":  "exec -- ./m Div -7",
		"build ./m Div -7 -v": "build ./m Div -7 -v",
	} {
		if diff := cmp.Diff(strings.Fields(want), bareArguments(strings.Fields(in))); diff != "" {
			t.Errorf("%s: %s", in, diff)
		}
	}
}

// TestManual fails if docs/cli.md is not what the commands say.
func TestManual(t *testing.T) {
	testkit.Golden(t, "../../docs/cli.md", []byte(Manual()))
}

// TestHelp looks for an example in every command's help.
func TestHelp(t *testing.T) {
	parser, err := newParser(&env{})
	if err != nil {
		t.Fatal(err)
	}
	for _, cmd := range parser.Model.Leaves(true) {
		if !strings.Contains(cmd.Detail, "\n  "+cmd.FullPath()) {
			t.Errorf("%s: no example in its help", cmd.FullPath())
		}
	}
}

// TestReadme compiles the example of README.md.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllSubmatch(text, -1)
	if len(blocks) == 0 {
		t.Fatal("no Go in README.md")
	}
	for _, b := range blocks {
		obj, err := compile.Compile(t.Context(), compile.Config{Files: map[string][]byte{"readme.go": b[1]}})
		if err != nil {
			t.Errorf("%v in\n%s", err, b[1])
		} else if len(obj.Programs) == 0 {
			t.Error("no program")
		}
	}
}

func TestPackageBeside(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "My-tool2")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if got := packageBeside(dir, "z.go"); got != "mytool2" {
		t.Errorf("got %q for an empty directory", got)
	}
	for name, text := range map[string]string{"z.go": "package old", "a_test.go": "package x_test", "b.go": "// Doc.\npackage tool"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got := packageBeside(dir, "z.go"); got != "tool" {
		t.Errorf("got %q", got)
	}
}

func TestLiteral(t *testing.T) {
	for in, want := range map[string]any{
		"-1": int64(-1), "0x10": int64(16), "18446744073709551615": uint64(1<<64 - 1), "true": true, "false": false, "yes": "yes", "": "",
	} {
		if got := literal(in); got != want {
			t.Errorf("%q: got %v", in, got)
		}
	}
}
