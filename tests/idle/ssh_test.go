//go:build linux

package idle

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/command"
)

// sshd is an OpenSSH server under waggle idle.
type sshd struct {
	*command.Process
	options []string // for ssh and scp
	at      string   // the port for clients
}

// startSSH starts one that is stopped after a time.
func startSSH(t *testing.T, watcher, idle string) *sshd {
	t.Helper()
	port := freePort(t)
	server := testkit.NewSSHD(t, port)
	s := &sshd{at: port}
	args := []string{"--watch", watcher, "--port", port, "--idle", idle}
	if watcher == "proxy" {
		s.at = freePort(t)
		args = []string{"--listen", ":" + s.at, "--to", "127.0.0.1:" + port, "--idle", idle}
	}
	s.Process = waggle(t, append(append(args, "--"), server.Args...)...)
	s.Expect("Server listening on 127.0.0.1")
	s.options = append(server.Options, "-o", "Port="+s.at)
	return s
}

// ssh is a client.
func (s *sshd) ssh(args ...string) *exec.Cmd {
	return exec.Command("ssh", append(append(append([]string{}, s.options...), "127.0.0.1"), args...)...)
}

// TestSSH: an OpenSSH server stays up through a copy, a session and silence, and stops
// when the last one has left, at the time that was set.
func TestSSH(t *testing.T) {
	t.Parallel()
	testkit.RequireRoot(t)
	testkit.RequireTool(t, "scp")
	watchers := []string{"sockops"}
	if testkit.Long() {
		watchers = []string{"sockops", "procfs", "proxy"}
	}
	for _, watcher := range watchers {
		t.Run(watcher, func(t *testing.T) {
			t.Parallel()
			file, sum := makeFile(t)
			s := startSSH(t, watcher, "1s")
			copyFile(t, s, file, sum)
			session(t, s)
			keepAlive(t, s)
			closed := time.Now()
			s.Expect(`closed 127\.0\.0\.1.*; 0 open$`)
			s.Expect("stopping: idle for 1s")
			after := time.Since(closed)
			wantCode(t, s.Process, 0)
			t.Logf("stopped %v after the last one had left", after)
			if after < 500*time.Millisecond || after > 2*time.Second+slack(watcher) {
				t.Errorf("stopped %v after the last one had left", after)
			}
		})
	}
}

// makeFile makes a file, of 1 GB if there is time, and returns its hash.
func makeFile(t *testing.T) (name string, sum []byte) {
	t.Helper()
	size := int64(64 << 20)
	if testkit.Long() {
		size = 1e9
	}
	name = filepath.Join(t.TempDir(), "from")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(f, h), rand.NewChaCha8([32]byte{1}), size); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return name, h.Sum(nil)
}

// copyFile copies a file there.
func copyFile(t *testing.T, s *sshd, from string, sum []byte) {
	t.Helper()
	to := from + ".copy"
	began := time.Now()
	scp := exec.Command("scp", append(append([]string{"-q"}, s.options...), from, "127.0.0.1:"+to)...)
	if out, err := scp.CombinedOutput(); err != nil {
		t.Fatalf("scp: %v: %s", err, out)
	}
	t.Logf("copied in %v", time.Since(began).Round(time.Millisecond))
	f, err := os.Open(to)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got := sha256.New()
	if _, err := io.Copy(got, f); err != nil || !bytes.Equal(got.Sum(nil), sum) {
		t.Errorf("the copy is another one (%v)", err)
	}
	if line := s.Expect(`closed 127\.0\.0\.1:\d+ after .*`)[0]; !strings.Contains(line, "MB in") && !strings.Contains(line, "GB in") {
		t.Errorf("of many bytes: %s", line)
	}
}

// session types into a shell, with pauses.
func session(t *testing.T, s *sshd) {
	t.Helper()
	cmd := s.ssh("-tt", "stty -echo; exec /bin/sh")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.Expect("accepted 127.0.0.1")
	for i := range 5 {
		time.Sleep(300 * time.Millisecond) // together longer than the idle time
		fmt.Fprintf(in, "echo $((6 * %d))\n", i)
	}
	fmt.Fprintln(in, "exit")
	if err := cmd.Wait(); err != nil {
		t.Fatalf("ssh: %v: %s", err, &out)
	}
	for i := range 5 {
		if want := fmt.Sprintf("%d\r\n", 6*i); !strings.Contains(out.String(), want) {
			t.Errorf("no %q in %q", want, &out)
		}
	}
	s.Expect(`closed 127\.0\.0\.1`)
}

// keepAlive stays without doing anything but keep-alives: three times the idle time, as
// half an hour is to ten minutes.
func keepAlive(t *testing.T, s *sshd) {
	t.Helper()
	cmd := s.ssh("-o", "ServerAliveInterval=1", "sleep 3")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ssh: %v: %s", err, out)
	}
	s.Expect("accepted 127.0.0.1")
}
