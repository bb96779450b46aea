package release

import (
	"errors"
	"fmt"
	"runtime"
	"testing"
)

func TestRequired(t *testing.T) {
	for text, want := range map[string]string{
		"map type Arena not supported (requires >= v6.9)":        "6.9",
		"program type X: not supported (requires >= v5.10.3): y": "5.10",
		"program type LircMode2 not supported":                   "",
	} {
		if got := Required(fmt.Errorf("x: %w", errors.New(text))); got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}

func TestAtLeast(t *testing.T) {
	for version, want := range map[string]bool{"2.6": runtime.GOOS == "linux", "99.8": false, "": false} {
		if got := AtLeast(version); got != want {
			t.Errorf("%q: got %t, want %t", version, got, want)
		}
	}
}
