//go:build linux

package wake

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/command"
)

// TestCrowd: 200 clients come during a start.
func TestCrowd(t *testing.T) {
	p := startWake(t, "--start", server(t, at(back), scaled(5*time.Second, time.Second)), "--log", "none")
	const crowd = 200
	errs := make(chan error, crowd)
	for range crowd {
		go func() { errs <- talk() }()
	}
	served := 0
	for range crowd {
		if err := <-errs; err != nil {
			t.Error(err)
			continue
		}
		served++
	}
	lines := p.Interrupt()
	if n := count(lines, "target started in"); n != 1 || served != crowd {
		t.Errorf("%d starts, %d of %d clients served", n, served, crowd)
	}
	if count(lines, fmt.Sprintf("target is ready; %d clients let through", min(crowd, 32))) != 1 {
		t.Error("the crowd was not let through when the target was ready")
	}
	nothingLeft(t)
}

// TestRaces lets clients come while the target is stopped, at random moments around
// it. The target is stopped with everybody cut off who is connected with it.
func TestRaces(t *testing.T) {
	const idle = 3 * time.Millisecond
	races := scaled(1000, 200)
	p := startWake(t, "--start", server(t, at(back), 0), "--idle", idle.String(), "--log", "none")
	served := 0
	for range races {
		time.Sleep(rand.N(3 * idle)) // the stop begins after the first third
		if err := talk(); err != nil {
			t.Fatalf("client %d: %v", served+1, err)
		}
		served++
	}
	lines := p.Interrupt()
	starts, stops := count(lines, "target started in"), count(lines, "target stopped in")
	t.Logf("%d clients, %d starts, %d stops", served, starts, stops)
	if stops < races/4 {
		t.Errorf("%d stops, too few to race with", stops)
	}
	nothingLeft(t)
}

// TestZeroAndBack goes to zero and back in a loop.
func TestZeroAndBack(t *testing.T) {
	p := startWake(t, "--start", server(t, at(back), 0), "--idle", "10ms", "--log", "none")
	rounds := scaled(100, 20)
	for range rounds {
		if err := talk(); err != nil {
			t.Fatal(err)
		}
		p.Expect("target stopped in")
		nothingLeft(t)
	}
	if n := count(p.Interrupt(), "target started in"); n != rounds {
		t.Errorf("%d starts, want %d", n, rounds)
	}
}

// TestDies kills the target. The next client wakes it.
func TestDies(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	start, _ := strings.CutPrefix(server(t, at(back), 0), "exec:")
	p := startWake(t, "--start", fmt.Sprintf("exec:echo $$ >%s; %s", pidFile, start))
	for range 3 {
		if err := talk(); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(pidFile)
		if err != nil {
			t.Fatal(err)
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		p.Expect("target has ended by itself: .*signal: killed")
	}
	if err := talk(); err != nil {
		t.Error(err)
	}
	p.Interrupt()
	nothingLeft(t)
}

// TestKilled: a command ends with the waggle that has started it, even if that is killed.
func TestKilled(t *testing.T) {
	p := startWake(t, "--start", server(t, at(back), 0), "--log", "none")
	if err := talk(); err != nil {
		t.Fatal(err)
	}
	p.Kill()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial("tcp", at(back))
		if err != nil {
			break
		}
		c.Close()
		if time.Now().After(deadline) {
			t.Fatal("the target is still there")
		}
	}
}

// TestNeverReady: clients are told, as far as they can be, and nothing is left.
func TestNeverReady(t *testing.T) {
	p := startWake(t, "--start", server(t, at(back), time.Hour), "--timeout", "1s", "--ready", "http:/")
	other, err := net.Dial("tcp", at(front))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + at(front) + "/")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close() // else waggle waits until the answer has been taken
	if resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("%s %v", resp.Status, resp.Header)
	}
	_ = other.SetReadDeadline(time.Now().Add(patience))
	if _, err := other.Read(make([]byte, 1)); err == nil || !strings.Contains(err.Error(), "connection reset") {
		t.Errorf("who doesn't speak HTTP: %v, want a reset", err)
	}
	p.Expect(`^waggle: wait for target: not ready after .*; --timeout gives it more time; \d clients? turned away`)
	p.Expect("target stopped in")
	p.Interrupt()
	nothingLeft(t)
}

// TestExits: a command that ends at once is told of in a line.
func TestExits(t *testing.T) {
	p := startWake(t, "--start", "exec:exit 7", "--log", "none")
	if err := talk(); err == nil {
		t.Error("served by nobody")
	}
	p.Expect(`^waggle: wait for target: its process has ended after .*: run "exit 7": exit status 7; 1 client turned away; the next try is in 1s at the earliest$`)
	p.Interrupt()
}

// TestHooks starts and stops by commands that do it and end.
func TestHooks(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	run, _ := strings.CutPrefix(server(t, at(back), 0), "exec:")
	run = strings.Replace(run, " exec ", " setsid ", 1)
	p := startWake(t, "--idle", "20ms", "--log", "none",
		"--start", fmt.Sprintf("exec:%s & echo $! >%s", run, pidFile),
		"--stop", fmt.Sprintf("exec:kill $(cat %s)", pidFile))
	for range 3 {
		if err := talk(); err != nil {
			t.Fatal(err)
		}
		p.Expect("target stopped in")
		nothingLeft(t)
	}
	p.Interrupt()
}

// TestSSH wakes a real sshd by a real ssh, which waits for the server to speak first.
func TestSSH(t *testing.T) {
	testkit.RequireRoot(t)
	ssh, sshd := testkit.RequireTool(t, "ssh"), testkit.NewSSHD(t, fmt.Sprint(back))
	p := startWake(t, "--ready", "ssh", "--idle", "500ms",
		"--start", "exec:sleep 0.3; exec "+strings.Join(sshd.Args, " "))
	login := func(input string) error {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		args := append(slices.Clone(sshd.Options), "-p", strconv.Itoa(int(front)), "root@127.0.0.1", "cat")
		cmd := exec.CommandContext(ctx, ssh, args...)
		cmd.Stdin = strings.NewReader(input)
		var out, problems bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &problems
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%w: %s", err, problems.String())
		}
		if out.String() != input {
			return fmt.Errorf("got %d bytes, want %d", out.Len(), len(input))
		}
		return nil
	}
	for range 2 {
		var work sync.WaitGroup
		for range scaled(20, 5) { // at once, while it starts
			work.Go(func() {
				if err := login(strings.Repeat("hello\n", 10_000)); err != nil {
					t.Error(err)
				}
			})
		}
		work.Wait()
		p.Expect("reachable in")
		p.Expect("stopping: idle for 500ms")
		p.Expect("target stopped in")
		nothingLeft(t)
	}
	if n := count(p.Interrupt(), "target started in"); n != 2 {
		t.Errorf("%d starts, want 2", n)
	}
}

// TestLastWord: what a client says before the target runs arrives, whole and once.
func TestLastWord(t *testing.T) {
	p := startWake(t, "--start", server(t, at(back), 300*time.Millisecond), "--log", "none")
	c, err := net.Dial("tcp", at(front))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	data := make([]byte, 3<<20) // more than the kernel holds for one who is not read from
	for i := range data {
		data[i] = byte(rand.Uint32())
	}
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(data)
		_ = c.(*net.TCPConn).CloseWrite()
		sent <- err
	}()
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("got %d bytes of %d, or others: %v", len(got), len(data), err)
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
	p.Interrupt()
}

// TestFewFiles: it is said if fewer clients can be held than was asked for.
func TestFewFiles(t *testing.T) {
	testkit.RequireRoot(t)
	argv, variable := command.Invocation(t, "wake", "--listen", at(front), "--to", at(back), "--start", "exec:sleep 1000")
	cmd := exec.Command("/bin/sh", append([]string{"-c", `ulimit -n 64; exec "$@"`, "sh"}, argv...)...)
	cmd.Env = append(os.Environ(), variable)
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	found := false
	for !found && lines.Scan() {
		found = strings.HasSuffix(lines.Text(), "clients can be held, not 1024: this process may open too few files; ulimit -n lets it open more")
	}
	if !found {
		t.Error("not a word")
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	_, _ = io.Copy(io.Discard, out)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
