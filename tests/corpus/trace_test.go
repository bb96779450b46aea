package corpus

import (
	"encoding/binary"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/waggle-bpf/waggle/bpf/sk"
	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/load"
	"github.com/waggle-bpf/waggle/tests/corpus/execevents"
	"github.com/waggle-bpf/waggle/tests/corpus/funclatency"
	"github.com/waggle-bpf/waggle/tests/corpus/kprobecount"
	"github.com/waggle-bpf/waggle/tests/corpus/kprobepercpu"
	"github.com/waggle-bpf/waggle/tests/corpus/minimal"
	"github.com/waggle-bpf/waggle/tests/corpus/minimalns"
	"github.com/waggle-bpf/waggle/tests/corpus/opensnoop"
	"github.com/waggle-bpf/waggle/tests/corpus/pagealloc"
	"github.com/waggle-bpf/waggle/tests/corpus/percpucounter"
	"github.com/waggle-bpf/waggle/tests/corpus/perfsample"
	"github.com/waggle-bpf/waggle/tests/corpus/readline"
	"github.com/waggle-bpf/waggle/tests/corpus/runqlat"
	"github.com/waggle-bpf/waggle/tests/corpus/syscount"
	"github.com/waggle-bpf/waggle/tests/corpus/tcplife"
	"github.com/waggle-bpf/waggle/tests/corpus/tcpstates"
	"github.com/waggle-bpf/waggle/tests/corpus/xdpmonitor"
)

func liveKprobeCount(w *world) {
	w.attach()
	before := at(w, "Calls", &kprobecount.Calls, 0)
	w.spawn()
	if n := at(w, "Calls", &kprobecount.Calls, 0); n <= before {
		w.Errorf("%d calls before, %d after", before, n)
	}
}

func liveKprobePerCPU(w *world) {
	w.attach()
	w.spawn()
	if n := total(w, "Calls", &kprobepercpu.Calls, 0, itself[uint64]); n == 0 {
		w.Error("no call was counted")
	}
}

func liveExecEvents(w *world) {
	s := ring(w, "Events", &execevents.Events)
	w.attach()
	w.spawn()
	s.find("a child", func(e *execevents.Event) bool { return e.PID != pid() && e.UID == 0 })
}

func livePageAlloc(w *world) {
	w.attach()
	w.eventually("pages are allocated", func() bool {
		mem, err := syscall.Mmap(-1, 0, 1<<20, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
		w.must(err)
		for i := 0; i < len(mem); i += os.Getpagesize() {
			mem[i] = 1
		}
		w.must(syscall.Munmap(mem))
		blocks := uint64(0)
		for order := range uint32(pagealloc.MaxOrder + 1) {
			blocks += at(w, "Blocks", &pagealloc.Blocks, order)
		}
		return blocks > 100 && value(w, "Pages", &pagealloc.Pages) >= blocks
	})
}

// writeNothing makes a system call that writes no byte.
func (w *world) writeNothing(n int) {
	w.Helper()
	f, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	w.must(err)
	defer f.Close()
	for range n {
		_, err := syscall.Write(int(f.Fd()), nil)
		w.must(err)
	}
}

func liveMinimal(w *world) {
	w.attach()
	w.writeNothing(3)
	w.equal("writes of nobody", value(w, "Writes", &minimal.Writes), uint64(0))
	setValue(w, "PID", &minimal.PID, pid())
	w.writeNothing(5)
	if n := value(w, "Writes", &minimal.Writes); n < 5 {
		w.Errorf("%d writes were seen", n)
	}
}

func liveMinimalNS(w *world) {
	w.attach()
	var st syscall.Stat_t
	w.must(syscall.Stat("/proc/self/ns/pid", &st))
	setValue(w, "Ino", &minimalns.Ino, st.Ino)
	setValue(w, "Dev", &minimalns.Dev, st.Dev+1)
	setValue(w, "PID", &minimalns.PID, pid())
	w.writeNothing(3)
	w.equal("writes in another namespace", value(w, "Writes", &minimalns.Writes), uint64(0))
	setValue(w, "Dev", &minimalns.Dev, st.Dev)
	w.writeNothing(5)
	if n := value(w, "Writes", &minimalns.Writes); n < 5 {
		w.Errorf("%d writes were seen", n)
	}
}

func liveOpenSnoop(w *world) {
	s := ring(w, "Events", &opensnoop.Events)
	w.attach()
	name := filepath.Join(w.TempDir(), "a file with a name")
	w.must(os.WriteFile(name, nil, 0o600))
	e := s.find("our file", func(e *opensnoop.Event) bool { return strings.HasPrefix(string(e.Name[:]), name+"\x00") })
	w.equal("flags", int(e.Flags)&os.O_CREATE != 0, true)
	w.equal("process", e.PID, pid())
}

// libc finds the C library and the program ls, which calls its functions.
func (w *world) libc() (path, ls string) {
	w.Helper()
	testkit.RequireTool(w.T, "ls")
	ls, err := exec.LookPath("ls")
	w.must(err)
	for _, pattern := range []string{"/lib/*-linux-gnu/libc.so.6", "/lib64/libc.so.6"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return found[0], ls
		}
	}
	w.Fatal("found no C library")
	return "", ""
}

func liveReadline(w *world) {
	libc, ls := w.libc()
	s := perf(w, "Events", &readline.Events)
	_, err := w.h.Attach("Readline", load.Target{Executable: libc, Symbol: "getenv"})
	w.must(err)
	cmd := exec.Command(ls, "-C", "/")
	cmd.Env = []string{"COLUMNS=77", "LS_COLORS=di=01"}
	w.must(cmd.Run())
	e := s.find("the value of COLUMNS", func(e *readline.Event) bool { return string(e.Line[:3]) == "77\x00" })
	w.equal("length", e.Len, int32(3))
	w.equal("process", e.PID, uint32(cmd.ProcessState.Pid()))
}

func liveFuncLatency(w *world) {
	libc, ls := w.libc()
	s := ring(w, "Events", &funclatency.Events)
	_, err := w.h.AttachAll(load.Targets{Target: load.Target{Executable: libc, Symbol: "getenv"}})
	w.must(err)
	cmd := exec.Command(ls, "-C", "/")
	cmd.Env = []string{"COLUMNS=77"}
	w.must(cmd.Run())
	e := s.find("a call for COLUMNS", func(e *funclatency.Event) bool { return string(e.Name[:8]) == "COLUMNS\x00" })
	if e.Arg == 0 || e.Ret == 0 || e.Duration == 0 || e.Duration > uint64(time.Minute) {
		w.Errorf("event %+v", e)
	}
	w.equal("process", e.PID, uint32(cmd.ProcessState.Pid()))
}

func liveTCPStates(w *world) {
	s := perf(w, "Events", &tcpstates.Events)
	w.attach()
	c := w.talk("127.0.0.1:0", "hello")
	port := uint16(c.client.Port)
	states := []sk.State{sk.Closed, sk.SynSent, sk.Established}
	for i := range states[1:] {
		e := s.find("a change of the client's state", func(e *tcpstates.Event) bool {
			return e.SrcPort == port && e.New == states[i+1] || e.DstPort == uint16(c.server.Port) && e.New == states[i+1]
		})
		w.equal("old state", e.Old, states[i])
		w.equal("destination", e.Dst, addr(c.server))
		w.equal("family", e.Family, uint16(sk.AFInet))
		if i > 0 && (e.InState == 0 || e.InState > uint64(time.Minute)) {
			w.Errorf("the old state lasted %d ns", e.InState)
		}
	}
}

func liveTCPLife(w *world) {
	s := perf(w, "Lives", &tcplife.Lives)
	w.attach()
	w.talk("127.0.0.1:0", "not wanted")
	c := w.talk("[::1]:0", "hello")
	life := s.find("a connection that ended", func(l *tcplife.Life) bool { return l.DstPort == uint16(c.server.Port) })
	w.equal("family", life.Family, uint16(sk.AFInet6))
	w.equal("source", life.Src, addr(c.client))
	w.equal("port", life.SrcPort, uint16(c.client.Port))
	w.equal("process", life.PID, pid())
	if life.Duration == 0 || life.Duration > uint64(time.Minute) {
		w.Errorf("lasted %d ns", life.Duration)
	}
}

func liveXDPMonitor(w *world) {
	w.attach()
	device := &entry{dir: "percpucounter"}
	h := device.load(w.T)
	_, err := h.Attach("Abort", load.Target{Interfaces: []string{"lo"}, XDP: load.XDPGeneric})
	w.must(err)
	c, err := net.Dial("udp", "127.0.0.1:9")
	w.must(err)
	defer c.Close()
	for range 4 {
		_, err = c.Write([]byte("hello"))
		w.must(err)
	}
	w.eventually("exceptions are counted", func() bool {
		return total(w, "Exceptions", &xdpmonitor.Exceptions, 0, itself[uint64]) >= 4
	})
	k := &world{T: w.T, h: h}
	packets := total(k, "Stats", &percpucounter.Stats, 0, func(r percpucounter.Record) uint64 { return r.Packets })
	if packets < 4 {
		w.Errorf("%d packets were dropped", packets)
	}
	w.equal("redirected", total(w, "Redirected", &xdpmonitor.Redirected, 0, itself[uint64]), uint64(0))
}

func liveRunqlat(w *world) {
	w.attach()
	w.eventually("waits are measured", func() bool {
		time.Sleep(time.Millisecond)
		n := uint64(0)
		for _, c := range at(w, "Waits", &runqlat.Waits, 0).Counts {
			n += c
		}
		return n >= 20
	})
}

func livePerfSample(w *world) {
	s := ring(w, "Samples", &perfsample.Samples)
	_, err := w.h.Attach("Tick", load.Target{Event: load.CPUClock(1000)})
	w.must(err)
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := uint64(0); ; n++ {
			select {
			case <-stop:
				return
			default:
				busy += binary.LittleEndian.Uint64([]byte{byte(n), 1, 2, 3, 4, 5, 6, 7})
			}
		}
	}()
	defer func() { close(stop); <-done }()
	e := s.find("a sample of this process", func(e *perfsample.Sample) bool { return e.PID == pid() && e.StackSize > 0 })
	if e.PC == 0 || e.Stack[0] == 0 || e.Period == 0 || e.CPU >= uint32(runtime.NumCPU()) || comm(e.Comm) == "" {
		w.Errorf("sample %+v", e)
	}
	if n := total(w, "Ticks", &perfsample.Ticks, 0, itself[uint64]); n == 0 {
		w.Error("no tick was counted")
	}
}

// busy keeps a loop from being optimised away.
var busy uint64

func liveSyscount(w *world) {
	w.attach()
	for range 10 {
		syscall.Getppid()
		_ = syscall.Fchdir(-1)
	}
	w.equal("getppid", at(w, "Counts", &syscount.Counts, syscall.SYS_GETPPID), syscount.Count{Calls: 10})
	w.equal("fchdir", at(w, "Counts", &syscount.Counts, syscall.SYS_FCHDIR), syscount.Count{Calls: 10, Failed: 10})
}
