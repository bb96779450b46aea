package control

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// fake is what a server asks.
type fake struct {
	mu    sync.Mutex
	asked []string
}

func (f *fake) note(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, fmt.Sprintf(format, args...))
}

func (f *fake) Why() *Report { return &Report{PID: 42, State: "busy"} }
func (f *fake) Hold(reason string, ttl time.Duration) (Hold, error) {
	if reason == "late" {
		return Hold{}, errors.New("hold: too late")
	}
	f.note("hold %s for %v", reason, ttl)
	return Hold{ID: 7}, nil
}
func (f *fake) Release(id int) bool {
	f.note("release %d", id)
	return id == 7
}

func start(t *testing.T) (*Server, *fake, string) {
	t.Helper()
	f := new(fake)
	path := filepath.Join(t.TempDir(), "sub", "c.sock")
	s, err := Serve(path, f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, f, path
}

func TestRequests(t *testing.T) {
	_, f, path := start(t)
	if r, err := Why(path); err != nil || r.PID != 42 || r.State != "busy" {
		t.Errorf("got %+v, %v", r, err)
	}
	if h, err := NewHold(path, "backup", time.Hour); err != nil || h.ID != 7 {
		t.Errorf("got %+v, %v", h, err)
	}
	if h, err := NewHold(path, "late", time.Hour); err == nil || err.Error() != "hold: too late" {
		t.Errorf("got %+v, %v", h, err)
	}
	if err := Release(path, 7); err != nil {
		t.Error(err)
	}
	if err := Release(path, 8); err == nil || err.Error() != "release 8: there is no such hold" {
		t.Errorf("got %v", err)
	}
	if got, want := strings.Join(f.asked, ", "), "hold backup for 1h0m0s, release 7, release 8"; got != want {
		t.Errorf("asked for %s, want %s", got, want)
	}
	for reason, ttl := range map[string]time.Duration{"": time.Hour, "x": 0, "y": -1, "z": 8 * 24 * time.Hour, strings.Repeat("x", 201): 1} {
		if _, err := NewHold(path, reason, ttl); err == nil {
			t.Errorf("%q for %v: held", reason, ttl)
		}
	}
}

// TestNonsense: whatever comes in, an answer or the end of the connection comes back,
// and others are served.
func TestNonsense(t *testing.T) {
	_, _, path := start(t)
	for text, want := range map[string]string{
		"nonsense\n":                                "read request:",
		`{"do":"fly"}` + "\n":                       `no request \"fly\"`,
		`{"do":"hold","ttl":1}` + "\n":              "give a reason",
		`{"do":"hold","reason":"x"}` + "\n":         "is not between 0 and",
		strings.Repeat("x", maxRequest+1) + "\n":    "",
		`{"do":"release","id":"seven"}` + "\n":      "read request:",
		`{"do":"why"}` + "\n" + `{"do":"?"}` + "\n": `"pid":42`,
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
	if _, err := Why(path); err != nil {
		t.Error(err)
	}
}

// TestManyClients: who comes when there are many is turned away; nobody waits for ever.
func TestManyClients(t *testing.T) {
	s, _, path := start(t)
	var silent []net.Conn
	for range maxClients {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		silent = append(silent, c)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := Why(path); err != nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatal("one too many is served")
		}
	}
	silent[0].Close()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := Why(path); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	s.Close() // which the silent ones don't hold up
}

func TestSocket(t *testing.T) {
	s, _, path := start(t)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", info, err)
	}
	var taken *InUseError
	if _, err := Serve(path, new(fake)); !errors.As(err, &taken) || taken.PID != 42 || !strings.Contains(err.Error(), "--control") {
		t.Errorf("got %v", err)
	}
	s.Close()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error("the socket is still there")
	}
	if _, err := Why(path); !errors.Is(err, ErrNone) {
		t.Errorf("got %v", err)
	}
	// A dead process's socket is replaced.
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	if _, err := Why(path); !errors.Is(err, ErrNone) {
		t.Errorf("got %v", err)
	}
	next, err := Serve(path, new(fake))
	if err != nil {
		t.Fatal(err)
	}
	// One that has taken the place of ours stays.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	next.Close()
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}
