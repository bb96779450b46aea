package controlsock

import (
	"bufio"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// echo serves clients by saying what they say.
func echo(s *Server) func(*net.UnixConn) {
	return func(c *net.UnixConn) {
		lines := bufio.NewScanner(c)
		for s.Prolong(c, time.Minute) && lines.Scan() {
			if Send(c, lines.Text()) != nil {
				return
			}
		}
	}
}

func open(t *testing.T, path string) *Server {
	t.Helper()
	s, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	s.Serve(1, echo(s))
	return s
}

// ask says something to whoever is at path and returns the answer.
func ask(path string) (string, error) {
	c, err := Dial(path)
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := c.Write([]byte("hello\n")); err != nil {
		return "", err
	}
	return bufio.NewReader(c).ReadString('\n')
}

func TestServer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dir", "sock")
	s := open(t, path)
	if _, err := ask(path); !Abandoned(err) {
		t.Errorf("before Publish: %v", err)
	}
	if err := s.Publish(); err != nil {
		t.Fatal(err)
	}
	if answer, err := ask(path); answer != "\"hello\"\n" {
		t.Errorf("got %q, %v", answer, err)
	}
	for name, want := range map[string]fs.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}

	// A successor takes the name; who closes later leaves it alone.
	next := open(t, path)
	if err := next.Publish(); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if answer, err := ask(path); answer != "\"hello\"\n" {
		t.Errorf("the successor: %q, %v", answer, err)
	}
	next.Close()
	if _, err := ask(path); !Abandoned(err) {
		t.Errorf("after Close: %v", err)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// TestExclusively: of many that start at the same time one gets the place.
func TestExclusively(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dir", "sock")
	var taken atomic.Int32
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			err := Exclusively(path, func() error {
				if c, err := Dial(path); !Abandoned(err) {
					_ = c.Close()
					return err
				}
				taken.Add(1)
				return open(t, path).Publish()
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := taken.Load(); n != 1 {
		t.Errorf("%d have taken it", n)
	}
	if _, err := os.Stat(path); err != nil {
		t.Error(err)
	}
}

// TestLocked: others can't keep it for ever.
func TestLocked(t *testing.T) {
	dir := t.TempDir()
	other, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := syscall.Flock(int(other.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	defer func(before time.Duration) { lockPatience = before }(lockPatience)
	lockPatience = 50 * time.Millisecond
	done := false
	err = Exclusively(filepath.Join(dir, "sock"), func() error {
		done = true
		return nil
	})
	if err != nil || !done {
		t.Errorf("done %t, %v", done, err)
	}
}

func TestLongPath(t *testing.T) {
	path := filepath.Join(t.TempDir(), strings.Repeat("x", 120))
	if s, err := Listen(path); err == nil || !strings.Contains(err.Error(), "too long for a socket") {
		t.Errorf("got %v, %v", s, err)
	}
}

// TestSilentClient: nobody holds up the end.
func TestSilentClient(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sock")
	s := open(t, path)
	if err := s.Publish(); err != nil {
		t.Fatal(err)
	}
	c, err := Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s.Close()
	if _, err := Dial(path); !Abandoned(err) {
		t.Errorf("got %v", err)
	}
}

func TestOpenDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "open")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[fs.FileMode]string{0o755: "", 0o770: "others may write", 0o777: "others may write", 0o777 | fs.ModeSticky: ""} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		s, err := Listen(filepath.Join(dir, "sock"))
		if (want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", mode, err)
		}
		if err == nil {
			s.Close()
		}
	}
}
