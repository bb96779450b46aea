//go:build linux

package idle

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

// TestNoCalls: while connections are open and busy, waggle idle makes no system calls.
// What is counted is what strace sees of all its threads; the few of the Go runtime's
// own monitor, which looks once a minute, are known by name.
func TestNoCalls(t *testing.T) {
	t.Parallel()
	testkit.RequireRoot(t)
	strace := testkit.RequireTool(t, "strace")
	port := freePort(t)
	p := waggle(t, append([]string{"--watch", "sockops", "--port", port, "--idle", "1s"}, service(port)...)...)
	stop, stopped := make(chan bool), make(chan int)
	const conns = 20
	for range conns {
		c := dial(t, port)
		go func() {
			n, b := 0, make([]byte, 100)
			for {
				select {
				case <-stop:
					c.Close()
					stopped <- n
					return
				case <-time.After(5 * time.Millisecond):
				}
				if _, err := c.Write(b); err != nil {
					t.Error(err)
				}
				if _, err := c.Read(b); err != nil {
					t.Error(err)
				}
				n++
			}
		}()
		p.Expect("accepted 127.0.0.1")
	}
	watched := 2 * time.Second
	if testkit.Long() {
		watched = time.Minute
	}
	// What the last event has set going may take its time on a busy machine, and the
	// runtime's monitor falls asleep by steps. Being looked at wakes it.
	most := 5 + 4*int(watched/time.Minute)
	var ours, runtime []string
	for range 10 {
		ours, runtime = calls(t, strace, p.PID(), watched)
		t.Logf("in %v: %d calls of ours, %d of the runtime's monitor", watched, len(ours), len(runtime))
		if len(ours) == 0 && len(runtime) <= most {
			break
		}
	}
	moved := 0
	close(stop)
	for range conns {
		moved += <-stopped
	}
	t.Logf("meanwhile, %d messages", moved)
	if len(ours) > 0 {
		t.Errorf("calls of ours:\n%s", strings.Join(ours, "\n"))
	}
	if len(runtime) > most {
		t.Errorf("%d calls of the runtime, %d are expected at most:\n%s", len(runtime), most, strings.Join(runtime, "\n"))
	}
	if moved < conns {
		t.Errorf("only %d messages; was anything busy?", moved)
	}
	p.Expect("stopping: idle for 1s")
	wantCode(t, p, 0)
}

// calls counts the system calls of a process for a time.
func calls(t *testing.T, strace string, pid int, watched time.Duration) (ours, runtime []string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "calls")
	cmd := exec.Command(strace, "-f", "-q", "-e", "signal=none", "-o", file, "-p", strconv.Itoa(pid))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(watched)
	_ = cmd.Process.Signal(syscall.SIGINT)
	_ = cmd.Wait()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return sortCalls(string(text))
}

// Calls of the runtime's own: threads that wait for each other, its monitor, which sleeps,
// and looks for news of the network without waiting for them.
var ofRuntime = regexp.MustCompile(`^(futex|nanosleep|sched_yield)\b|^epoll_pwait.*, 0, NULL, 0\)`)

// sortCalls tells the runtime's calls from ours. A call that was under way when strace
// came, or is when it goes, is none that was made: strace shows where a thread waits.
func sortCalls(text string) (ours, runtime []string) {
	begun := make(map[string]bool) // threads whose call we have seen beginning
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		thread, call, ok := strings.Cut(line, " ")
		call = strings.TrimSpace(call)
		if strings.Contains(call, "<unfinished ...>") {
			begun[thread] = true
			continue
		}
		call, resumed := strings.CutPrefix(call, "<... ")
		underWay := resumed && !begun[thread] || strings.Contains(call, "<detached ...>")
		delete(begun, thread)
		switch {
		case !ok, underWay, strings.HasPrefix(call, "restart_syscall"), strings.HasPrefix(call, "+++"), strings.HasPrefix(call, "---"):
		case ofRuntime.MatchString(call):
			runtime = append(runtime, line)
		default:
			ours = append(ours, line)
		}
	}
	return ours, runtime
}

func TestSortCalls(t *testing.T) {
	const text = `1  futex(0x1, FUTEX_WAIT_PRIVATE, 0, NULL <unfinished ...>
2  <... epoll_pwait resumed>[], 128, -1, NULL, 0) = 1
2  read(3, "x", 1) = 1
2  epoll_pwait(6, [], 128, 0, NULL, 0) = 0
2  epoll_pwait(6,  <unfinished ...>
3  <... sched_yield resumed>)        = 0
3  sched_yield()                     = 0
1  <... futex resumed>)              = 0
1  bpf(BPF_MAP_LOOKUP_ELEM <unfinished ...>
2  <... epoll_pwait resumed>[{EPOLLIN}], 128, -1, NULL, 0) = 1
1  <... bpf resumed>)                = 0
2  epoll_pwait(6,  <detached ...>
`
	ours, runtime := sortCalls(text)
	if len(ours) != 3 || len(runtime) != 3 {
		t.Errorf("ours:\n%s\nthe runtime's:\n%s", strings.Join(ours, "\n"), strings.Join(runtime, "\n"))
	}
}
