package packet

import (
	"net/netip"
	"testing"
)

func TestPrefix(t *testing.T) {
	for _, c := range []struct {
		text string
		want Prefix
	}{
		{"10.0.0.0/8", Prefix{104, MustParseAddr("10.0.0.0")}},
		{"10.1.2.3/32", MustParseAddr("10.1.2.3").Prefix()},
		{"0.0.0.0/0", Prefix{96, MustParseAddr("0.0.0.0")}},
		{"2001:db8::/32", Prefix{32, MustParseAddr("2001:db8::")}},
		{"::1/128", MustParseAddr("::1").Prefix()},
		{"::/0", Prefix{}},
	} {
		got := MustParsePrefix(c.text)
		if got != c.want || got.String() != c.text {
			t.Errorf("%s: got %+v, back %s", c.text, got, got)
		}
	}
	if got := PrefixFrom(netip.MustParsePrefix("10.1.2.3/8")); got != MustParsePrefix("10.0.0.0/8") {
		t.Errorf("10.1.2.3/8: got %v", got)
	}
	// The same range, spelt as what it is mapped to.
	if got := MustParsePrefix("::ffff:10.0.0.0/104"); got != MustParsePrefix("10.0.0.0/8") {
		t.Errorf("::ffff:10.0.0.0/104: got %v", got)
	}
}
