package pass

import "testing"

// TestOrder holds the pipeline to the constraints in order.
func TestOrder(t *testing.T) {
	at := map[string]int{}
	for i, p := range Pipeline {
		if _, twice := at[p.Name]; twice {
			t.Errorf("two passes are named %q", p.Name)
		}
		if (p.Func == nil) == (p.Module == nil) {
			t.Errorf("pass %q: exactly one of Func and Module must be set", p.Name)
		}
		at[p.Name] = i
	}
	for _, c := range order {
		b, okB := at[c.before]
		a, okA := at[c.after]
		switch {
		case !okB || !okA:
			t.Errorf("constraint %q before %q names an unknown pass", c.before, c.after)
		case b >= a:
			t.Errorf("%q must run before %q: %s", c.before, c.after, c.why)
		}
	}
}
