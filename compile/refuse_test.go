package compile

import (
	"errors"
	"testing"

	"github.com/waggle-bpf/waggle/internal/compiler/subset"
)

// TestLateExamples wants the examples of what only the late stages refuse to get
// their own code and no other. Package subset tests those that it refuses itself.
func TestLateExamples(t *testing.T) {
	late := 0
	for _, r := range subset.Rules {
		if r.Example == "" || r.Code < subset.MixedSlices {
			continue
		}
		late++
		list := refused(t, r.Example)
		if len(list) == 0 {
			t.Errorf("%s %s: accepted", r.Code, r.Title)
		}
		for _, d := range list {
			if d.Code != r.Code {
				t.Errorf("%s %s: got %v", r.Code, r.Title, d)
			}
		}
	}
	if late == 0 {
		t.Error("no examples")
	}
}

// refused compiles one file and returns what is wrong with it.
func refused(t *testing.T, src string) Diagnostics {
	t.Helper()
	_, err := Compile(t.Context(), Config{Files: map[string][]byte{"p.go": []byte(src)}, Check: true})
	var list Diagnostics
	if err != nil && !errors.As(err, &list) {
		t.Fatal(err)
	}
	return list
}
