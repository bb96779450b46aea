package suggest

import "testing"

func TestClosest(t *testing.T) {
	all := []string{"Div", "Divide", "Sum", "Reverse"}
	for name, want := range map[string]string{"div": "Div", "Dvi": "Div", "Divid": "Divide", "Revers": "Reverse", "Elephant": "", "": ""} {
		if got := Closest(name, all); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}
