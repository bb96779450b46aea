package wake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/waggle-bpf/waggle/forward/config"
)

// TestMoves: a target whose name leads nowhere before it is started is found then.
func TestMoves(t *testing.T) {
	s := newServer(t, echo)
	_, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Simple("127.0.0.1:0", "sleepy:"+port)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Listeners[0].Engine = "splice"
	cfg.Groups[0].Resolve = func(context.Context, string) ([]netip.Addr, error) {
		if s.starts.Load() == 0 {
			return nil, errors.New("no such host")
		}
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}
	probe, err := ParseProbe("tcp", s.addr, config.NoProxy)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var notices []string
	listening := make(chan string, 1)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, cfg, Options{
			Start: s, Stop: s, Probe: probe, Timeout: patience, StopTimeout: patience, Held: 10, End: true,
			Control: filepath.Join(t.TempDir(), "c.sock"),
			Notice: func(format string, args ...any) {
				text := fmt.Sprintf(format, args...)
				if addr, ok := strings.CutPrefix(text, "listening on "); ok {
					listening <- addr
				}
				mu.Lock()
				defer mu.Unlock()
				notices = append(notices, text)
			},
		}, io.Discard)
	}()
	if err := talks(<-listening); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if text := strings.Join(notices, "\n"); strings.Contains(text, "does not answer") {
		t.Errorf("a client was let through before it was known where to:\n%s", text)
	}
}
