package control

import (
	"bufio"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func serveAt(t *testing.T, path string, r Report) func() {
	t.Helper()
	s, err := Serve(path, func() *Report { return &r })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s.Close
}

func TestAsk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "c.sock")
	if _, err := Ask(path); !errors.Is(err, ErrNone) {
		t.Errorf("with nobody there: %v", err)
	}
	end := serveAt(t, path, Report{PID: 42, State: "ready", Counts: Counts{Starts: 7}})
	r, err := Ask(path)
	if err != nil || r.PID != 42 || r.State != "ready" || r.Counts.Starts != 7 {
		t.Errorf("got %+v, %v", r, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", info, err)
	}
	var taken *InUseError
	if _, err := Serve(path, nil); !errors.As(err, &taken) || taken.PID != 42 || !strings.Contains(err.Error(), "--control") {
		t.Errorf("got %v", err)
	}
	end()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error("the socket is still there")
	}
}

// TestNonsense: whatever comes in, an answer or the end of the connection comes back, and
// others are served.
func TestNonsense(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.sock")
	serveAt(t, path, Report{PID: 42})
	for text, want := range map[string]string{
		"nonsense\n":                             "read request:",
		`{"do":"fly"}` + "\n":                    `no request \"fly\"`,
		strings.Repeat("x", maxRequest+1) + "\n": "",
		`{"do":"report"}` + "\n":                 `"pid":42`,
	} {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := c.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		line, _ := bufio.NewReader(c).ReadString('\n')
		if !strings.Contains(line, want) || want == "" && line != "" {
			t.Errorf("%.40q: got %q", text, line)
		}
		c.Close()
	}
	if _, err := Ask(path); err != nil {
		t.Error(err)
	}
}

// dead leaves a socket as a process does that is killed.
func dead(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
}

// TestAskAll: all are found, the oldest first, and what killed ones have left is passed
// over, and removed by the next one.
func TestAskAll(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	if _, err := askAll(dir); !errors.Is(err, ErrNone) {
		t.Errorf("with nobody there: %v", err)
	}
	serveAt(t, path(dir, "1"), Report{PID: 1, Started: now})
	serveAt(t, path(dir, "2"), Report{PID: 2, Started: now.Add(-time.Hour)})
	dead(t, path(dir, "3"))
	list, err := askAll(dir)
	if err != nil || len(list) != 2 || list[0].PID != 2 || list[1].PID != 1 {
		t.Errorf("got %+v, %v", list, err)
	}
	sweep(dir)
	for which, want := range map[string]bool{"1": true, "2": true, "3": false} {
		if _, err := os.Stat(path(dir, which)); (err == nil) != want {
			t.Errorf("socket %s: %v", which, err)
		}
	}
}

// TestAtOnce: of several that want the same place at the same time one gets it, and the
// others know who.
func TestAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.sock")
	const contenders = 8
	errs := make(chan error, contenders)
	for range contenders {
		go func() {
			s, err := Serve(path, func() *Report { return &Report{PID: 42} })
			if err == nil {
				t.Cleanup(s.Close)
			}
			errs <- err
		}()
	}
	got := 0
	for range contenders {
		var taken *InUseError
		switch err := <-errs; {
		case err == nil:
			got++
		case !errors.As(err, &taken) || taken.PID != 42:
			t.Error(err)
		}
	}
	if got != 1 {
		t.Errorf("%d have the socket", got)
	}
}
