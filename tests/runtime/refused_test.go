package runtime

import (
	"errors"
	"strings"
	"testing"

	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/load"
)

// TestRefused: what the verifier says becomes a line of Go source and a sentence.
func TestRefused(t *testing.T) {
	testkit.RequireRoot(t)
	obj := open(t, "refused")
	for _, tt := range []struct{ program, comment, sentence string }{
		{"Endless", "has a loop that may never end", "has a loop that may never end"},
		{"Unlocked", "helper under a lock", "calls or returns while it holds a spin lock"},
		{"Leaks", "takes a reference", "takes a reference (ring buffer record, socket) and does not give it back"},
	} {
		t.Run(tt.program, func(t *testing.T) {
			_, err := obj.Load(load.Options{Programs: []string{tt.program}})
			var refusal *load.VerifierError
			if !errors.As(err, &refusal) {
				t.Fatalf("no verifier error: %v", err)
			}
			if want := lineOf(t, "refused/refused.go", tt.program, tt.comment); base(refusal.Pos) != "refused.go" || refusal.Pos.Line != want || refusal.Pos.Col == 0 {
				t.Errorf("position %v, want line %d", refusal.Pos, want)
			}
			if !strings.HasPrefix(refusal.Sentence, tt.sentence) {
				t.Errorf("sentence %q", refusal.Sentence)
			}
			if len(refusal.Log) < 3 {
				t.Errorf("log of %d lines", len(refusal.Log))
			}
		})
	}
}
