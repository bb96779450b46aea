package tc

import (
	"os"
	"testing"
)

func TestNames(t *testing.T) {
	for _, m := range []maker{{1, 4026531836}, {1 << 21, 0}, self()} {
		if got, ours := makerOf(nameOf(m, "a:b@c")); got != m || !ours {
			t.Errorf("%+v becomes %+v, %v", m, got, ours)
		}
	}
	for _, name := range []string{"", "waggle:", "waggle:1:p", "waggle:1@2", "waggle:-1@2:p", "waggle:0@2:p", "waggle:x@2:p", "waggle:1@:p", "other:1@2:p"} {
		if m, ours := makerOf(name); ours {
			t.Errorf("%q is of %+v", name, m)
		}
	}
}

// TestDead asks after processes: no number is above pid_max, at most 2^22.
func TestDead(t *testing.T) {
	const none = 1 << 30
	here := self().namespace
	for _, tt := range []struct {
		maker
		want bool
	}{
		{maker{os.Getpid(), here}, false},
		{maker{1, here}, false},
		{maker{none, here}, true},
		{maker{none, here + 1}, false},
		{maker{none, 0}, false},
	} {
		if got := tt.dead(); got != tt.want {
			t.Errorf("%+v is dead: %v", tt.maker, got)
		}
	}
}
