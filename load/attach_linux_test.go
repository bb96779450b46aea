package load

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

// The counters of testdata/hooks.c.
const (
	runXDP = iota
	runTCX
	runTC
	runCgroupIn
	runCgroupSKB
	runSockCreate
	runConnect4
	runSetsockopt
	runOps
	runMsg
	runParser
	runVerdict
	runLookup
	runFilter
	runTP
	runRawTP
	_
	runKprobe
	runUprobe
	runUretprobe
	runPerf
	_
	runReuseport
	_
	_
	runTCAny
)

// loadHook loads one program of testdata/hooks.c.
func loadHook(t *testing.T, programs ...string) *Handle {
	t.Helper()
	o := openObject(t, "hooks.o")
	if err := o.Set("only_pid", os.Getpid()); err != nil {
		t.Fatal(err)
	}
	return loadObject(t, o, Options{Programs: programs})
}

func runsOf(t *testing.T, h *Handle, counter uint32) uint64 {
	t.Helper()
	runs, err := MapOf[uint32, uint64](h, "runs")
	if err != nil {
		t.Fatal(err)
	}
	n, err := runs.Get(counter)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// loop sends n datagrams over the loopback device.
func loop(t *testing.T, n int) {
	t.Helper()
	conn := reusable(t)
	defer conn.Close()
	for range n {
		circle(t, conn)
	}
}

// circle sends a datagram from a socket to itself. When it is there, the programs on
// its way have met it, and nothing is sent in answer.
func circle(t *testing.T, conn *net.UDPConn) {
	t.Helper()
	if _, err := conn.WriteTo([]byte("x"), conn.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := conn.ReadFrom(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
}

// echo makes a TCP connection over the loopback device and sends a byte.
func echo(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.DialTimeout("tcp4", l.Addr().String(), patience)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
}

// TestAttach attaches a program of each kind, sees it run, detaches it and
// sees it run no more.
func TestAttach(t *testing.T) {
	lo := Target{Interfaces: []string{"lo"}}
	packets := func(t *testing.T, _ *testkit.Cgroup) { loop(t, 5) }
	inGroup := func(f func(*testing.T)) func(*testing.T, *testkit.Cgroup) {
		return func(t *testing.T, g *testkit.Cgroup) {
			g.Join(t)
			f(t)
		}
	}
	calls := func(*testing.T, *testkit.Cgroup) {
		for range 5 {
			getpgid()
		}
	}
	for _, tt := range []struct {
		program  string
		target   Target
		counter  uint32
		fire     func(*testing.T, *testkit.Cgroup)
		cgroup   bool
		absences []testkit.Absence
	}{
		{program: "on_xdp", target: lo, counter: runXDP, fire: packets},
		{program: "on_xdp", target: Target{Interfaces: []string{"lo"}, XDP: XDPGeneric}, counter: runXDP, fire: packets},
		{program: "on_tcx", target: lo, counter: runTCX, fire: packets},
		{program: "on_tcx", target: Target{Interfaces: []string{"lo"}, TC: Clsact}, counter: runTCX, fire: packets},
		{program: "on_tc", target: lo, counter: runTC, fire: packets},
		{program: "on_tc", target: Target{Interfaces: []string{"lo"}, TC: Clsact}, counter: runTC, fire: packets},
		{program: "on_tc_any", target: Target{Interfaces: []string{"lo"}, Direction: Ingress | Egress}, counter: runTCAny, fire: packets},
		{program: "on_tc_any", target: Target{Interfaces: []string{"lo"}, Direction: Ingress | Egress, TC: Clsact}, counter: runTCAny, fire: packets},
		{program: "on_filter", target: lo, counter: runFilter, fire: packets},
		{program: "on_lookup", counter: runLookup, fire: func(t *testing.T, _ *testkit.Cgroup) { echo(t) }},
		{program: "on_cgroup_in", cgroup: true, counter: runCgroupIn, fire: inGroup(echo)},
		{program: "on_cgroup_skb", target: Target{Direction: Egress}, cgroup: true, counter: runCgroupSKB, fire: inGroup(echo)},
		{program: "on_sock_create", cgroup: true, counter: runSockCreate, fire: inGroup(echo)},
		{program: "on_connect4", cgroup: true, counter: runConnect4, fire: inGroup(echo)},
		{program: "on_setsockopt", cgroup: true, counter: runSetsockopt, fire: inGroup(echo)},
		{program: "on_sockops", cgroup: true, counter: runOps, fire: inGroup(echo)},
		{program: "on_tp", counter: runTP, fire: calls},
		{program: "on_raw_tp", counter: runRawTP, fire: calls},
		{program: "on_kprobe", counter: runKprobe, absences: []testkit.Absence{testkit.NoKprobes},
			fire: func(*testing.T, *testkit.Cgroup) { nanosleep() }},
		{program: "on_perf", target: Target{Event: CPUClock(1000)}, counter: runPerf,
			fire: func(*testing.T, *testkit.Cgroup) { busy(50 * time.Millisecond) }},
	} {
		name := tt.program
		if tt.target.TC == Clsact {
			name += "-clsact"
		}
		t.Run(name, func(t *testing.T) {
			h := loadHook(t, tt.program)
			var group *testkit.Cgroup
			if tt.cgroup {
				group = testkit.NewCgroup(t)
				tt.target.Cgroup = group.Path
			}
			links, err := h.Attach(tt.program, tt.target)
			testkit.Need(t, err, tt.absences...)
			for _, l := range links {
				// Kernels without tcx get a filter in any case.
				if want := strings.Contains(l.Where(), "(tc "); l.OutlivesProcess() != want || !want && tt.target.TC == Clsact {
					t.Errorf("%v: outlives the process: %v, want %v", l, !want, want)
				}
			}
			tt.fire(t, group)
			n := runsOf(t, h, tt.counter)
			if n == 0 {
				t.Errorf("attached to %v and did not run", links)
			}
			for _, l := range links {
				if err := errors.Join(l.Close(), l.Close()); err != nil {
					t.Error(err)
				}
			}
			n = runsOf(t, h, tt.counter) // the kernel may have been running it
			tt.fire(t, group)
			if after := runsOf(t, h, tt.counter); after != n {
				t.Errorf("detached and ran %d times", after-n)
			}
		})
	}
}

func getpgid() { syscall.Syscall(syscall.SYS_GETPGID, 0, 0, 0) }

func nanosleep() { unix.Nanosleep(&unix.Timespec{Nsec: 1}, nil) }

// busy uses the CPU for so long, of this process's time: others may be busy as well.
func busy(d time.Duration) {
	used := func() int64 {
		var now unix.Timespec
		_ = unix.ClockGettime(unix.CLOCK_PROCESS_CPUTIME_ID, &now)
		return now.Nano()
	}
	for start := used(); used()-start < d.Nanoseconds(); {
	}
}

// TestAttachSockMap runs a message and two stream programs on sockets that a
// sockops program puts into their map.
func TestAttachSockMap(t *testing.T) {
	h := loadHook(t, "on_sockops", "on_msg", "on_parser", "on_verdict")
	group := testkit.NewCgroup(t)
	group.Join(t)
	if _, err := h.AttachAll(Targets{Target: Target{Cgroup: group.Path}}); err != nil {
		t.Fatal(err)
	}
	if n := len(h.Links()); n != 4 {
		t.Errorf("%d links", n)
	}
	echo(t)
	for name, counter := range map[string]uint32{"on_msg": runMsg, "on_parser": runParser, "on_verdict": runVerdict} {
		if runsOf(t, h, counter) == 0 {
			t.Errorf("%s did not run", name)
		}
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
}

// TestAttachSockMapWithoutLink does so as on kernels before 6.10.
func TestAttachSockMapWithoutLink(t *testing.T) {
	h := loadHook(t, "on_msg")
	m, err := h.Map("sockets")
	if err != nil {
		t.Fatal(err)
	}
	p, err := h.Program("on_msg")
	if err != nil {
		t.Fatal(err)
	}
	a, err := attachToMap(m, p, 7) // BPF_SK_MSG_VERDICT
	if err != nil {
		t.Fatal(err)
	}
	l := &Link{program: "on_msg", where: "map sockets", attached: a}
	if err := l.Replace(p); err != nil {
		t.Error(err)
	}
	if err := l.Pin("/sys/fs/bpf/x"); !errors.Is(err, ErrNotSupported) {
		t.Errorf("pin: %v", err)
	}
	if l.OutlivesProcess() {
		t.Error("outlives the process")
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestAttachUprobe(t *testing.T) {
	libc, err := findExecutable("libc.so.6")
	if testkit.InVM() {
		t.Skip("no C library in the machine")
	}
	if err != nil {
		t.Fatal(err)
	}
	h := loadHook(t, "on_uprobe", "on_uretprobe")
	_, err = h.Attach("on_uprobe", Target{})
	testkit.Need(t, err)
	if _, err := h.Attach("on_uretprobe", Target{Executable: libc, Symbol: "getpid", PID: os.Getpid()}); err != nil {
		t.Fatal(err)
	}
	callLibc(t)
	// The shell calls getpgid or not; it certainly is another process.
	if n := runsOf(t, h, runUretprobe); n != 0 {
		t.Errorf("probe of this process ran %d times in another", n)
	}
	for _, tt := range []struct {
		target Target
		want   string
	}{
		{Target{Executable: "no-such-program", Symbol: "main"}, "find executable no-such-program: not in PATH"},
		{Target{Executable: "libnone.so.9", Symbol: "main"}, "find library libnone.so.9"},
		{Target{Executable: libc, Symbol: "no_such_function"}, "no_such_function"},
		{Target{Executable: libc}, "no function named"},
		{Target{}, "no executable named"},
	} {
		if _, err := h.Attach("on_uretprobe", tt.target); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want %q", tt.target, err, tt.want)
		}
	}
}

// callLibc runs a program that uses the C library.
func callLibc(t *testing.T) {
	t.Helper()
	p, err := os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Wait(); err != nil {
		t.Fatal(err)
	}
}

// loadTraced loads one program of testdata/traced.c.
func loadTraced(t *testing.T, program string, absences ...testkit.Absence) *Handle {
	t.Helper()
	testkit.RequireRoot(t)
	o := openObject(t, "traced.o")
	if err := o.Set("only_pid", os.Getpid()); err != nil {
		t.Fatal(err)
	}
	h, err := o.Load(Options{Programs: []string{program}})
	// Some kernels are patched to refuse trampolines to everybody.
	var denied *PrivilegeError
	if errors.As(err, &denied) && denied.Capability == "" {
		err = fmt.Errorf("%w: %w", err, ErrNotSupported)
		absences = append(absences, testkit.Absence{Reason: "refused by a policy of the kernel", Absent: func() bool { return true }})
	}
	testkit.Need(t, err, absences...)
	t.Cleanup(func() { h.Close() })
	return h
}

func tracedRuns(t *testing.T, h *Handle, variable string) uint64 {
	t.Helper()
	v, err := VariableOf[uint64](h, variable)
	if err != nil {
		t.Fatal(err)
	}
	n, err := v.Get()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAttachTracing(t *testing.T) {
	h := loadTraced(t, "on_tp_btf")
	if _, err := h.AttachAll(Targets{}); err != nil {
		t.Fatal(err)
	}
	getpgid()
	if tracedRuns(t, h, "tp_btf_runs") == 0 {
		t.Error("did not run")
	}
}

func TestAttachFentry(t *testing.T) {
	h := loadTraced(t, "on_fentry", testkit.NoFtraceDirectCalls)
	_, err := h.AttachAll(Targets{})
	testkit.Need(t, err, testkit.NoFtraceDirectCalls)
	nanosleep()
	if tracedRuns(t, h, "fentry_runs") == 0 {
		t.Error("did not run")
	}
}

func TestAttachIter(t *testing.T) {
	h := loadTraced(t, "on_iter")
	links, err := h.AttachAll(Targets{})
	testkit.Need(t, err)
	out, err := links[0].Output()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	line := make([]byte, 4)
	if _, err := out.Read(line); err != nil || string(line) != "map\n" {
		t.Errorf("output %q, %v", line, err)
	}
	if tracedRuns(t, h, "iter_runs") == 0 {
		t.Error("did not run")
	}
}

func TestAttachNetfilter(t *testing.T) {
	h := loadTraced(t, "on_netfilter")
	if _, err := h.AttachAll(Targets{}); err == nil || !strings.Contains(err.Error(), "no netfilter hook named") {
		t.Errorf("without a hook: %v", err)
	}
	at := &NetfilterHook{Family: link.NetfilterProtoIPv4, Hook: link.NetfilterInetLocalIn, Priority: 5}
	links, err := h.AttachAll(Targets{Target: Target{Netfilter: at}})
	testkit.Need(t, err)
	if info, err := links[0].Info(); err != nil || info.Netfilter() == nil {
		t.Errorf("info: %v", err)
	}
}

// TestAttachSockets attaches to sockets of the caller, closed before the link
// and after it.
func TestAttachSockets(t *testing.T) {
	h := loadHook(t, "on_filter", "on_reuseport")
	for _, program := range []string{"on_filter", "on_reuseport"} {
		for _, first := range []string{"socket", "link"} {
			conn := reusable(t)
			if _, err := h.Attach(program, Target{Socket: conn}); err != nil {
				t.Fatalf("%s: %v", program, err)
			}
			if first == "socket" {
				conn.Close()
			}
			for _, l := range h.Links() {
				if err := l.Close(); err != nil {
					t.Errorf("%s, %s first: %v", program, first, err)
				}
			}
			conn.Close()
		}
	}
	if _, err := h.Attach("on_reuseport", Target{}); err == nil || !strings.Contains(err.Error(), "no socket named") {
		t.Errorf("reuseport without a socket: %v", err)
	}
}

// reusable is a UDP socket with SO_REUSEPORT.
func reusable(t *testing.T) *net.UDPConn {
	t.Helper()
	config := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
	}}
	conn, err := config.ListenPacket(t.Context(), "udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return conn.(*net.UDPConn)
}

func TestAttachInNetNS(t *testing.T) {
	h := loadHook(t, "on_xdp", "on_tc")
	pair := testkit.NewPair(t)
	path := fmt.Sprintf("/proc/self/fd/%d", pair.A.NS.FD())
	target := Target{Interfaces: []string{pair.A.Device}, NetNS: path, TC: Clsact}
	if _, err := h.AttachAll(Targets{Target: target}); err != nil {
		t.Fatal(err)
	}
	// A connection has packets both ways.
	pair.A.Dial(t, pair.B.Listen(t, pair.B.V4).Addr())
	for _, counter := range []uint32{runXDP, runTC} {
		if runsOf(t, h, counter) == 0 {
			t.Errorf("counter %d: did not run", counter)
		}
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if _, err := loadHook(t, "on_xdp").Attach("on_xdp", Target{Interfaces: []string{"lo"}, NetNS: "/absent"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent namespace: %v", err)
	}
}
