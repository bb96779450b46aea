package wake

import (
	"fmt"
	"testing"

	"github.com/waggle-bpf/waggle/forward/config"
)

// TestProbeGreets: a target that wants the PROXY protocol gets it from the probe, too.
func TestProbeGreets(t *testing.T) {
	for _, test := range []struct {
		version  config.ProxyOut
		greeting string
		more     int
	}{
		{config.NoProxy, "", 0},
		{config.ProxyV1, "PROXY UNKNOWN\r\n", 0},
		{config.ProxyV2, "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x07\x03\x00\x04", 4}, // LOCAL, with a checksum
	} {
		t.Run(fmt.Sprint(test.version), func(t *testing.T) {
			s := newServer(t, pickyHTTP(test.greeting, test.more))
			if err := s.up(); err != nil {
				t.Fatal(err)
			}
			p, err := ParseProbe("http:/health", s.addr, test.version)
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Check(t.Context(), 0); err != nil {
				t.Error(err)
			}
		})
	}
}
