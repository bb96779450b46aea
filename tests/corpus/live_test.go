package corpus

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/load"
)

// attach attaches programs, or all of the object, where their directives say.
func (w *world) attach(programs ...string) {
	w.Helper()
	if len(programs) == 0 {
		_, err := w.h.AttachAll(load.Targets{})
		w.need(err)
	}
	for _, p := range programs {
		_, err := w.h.Attach(p, load.Target{})
		w.need(err)
	}
}

// need skips the test where the kernel can't attach.
func (w *world) need(err error) {
	w.Helper()
	if errors.Is(err, load.ErrNotSupported) {
		testkit.Need(w.T, err, testkit.NoKprobes)
	}
	w.must(err)
}

// inCgroup attaches the object's cgroup programs to a new cgroup and moves this
// process there until the test ends.
func (w *world) inCgroup(programs ...string) {
	w.Helper()
	g := testkit.NewCgroup(w.T)
	// The handle is closed after the cgroup is removed otherwise.
	if len(programs) == 0 {
		_, err := w.h.AttachAll(load.Targets{Target: load.Target{Cgroup: g.Path}})
		w.must(err)
	}
	for _, p := range programs {
		_, err := w.h.Attach(p, load.Target{Cgroup: g.Path})
		w.must(err)
	}
	g.Join(w.T)
}

// conversation is a TCP connection over which both ends said something.
type conversation struct {
	client, server *net.TCPAddr
}

// listen listens without multipath TCP, whose sockets sockmaps don't take.
func (w *world) listen(addr string) net.Listener {
	w.Helper()
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	l, err := config.Listen(w.Context(), "tcp", addr)
	w.must(err)
	return l
}

// talk opens a connection to a listener on addr, sends a message there and back
// and closes it.
func (w *world) talk(addr, message string) conversation {
	w.Helper()
	l := w.listen(addr)
	defer l.Close()
	return w.talkTo(l, l.Addr().String(), message)
}

// talkTo is talk with a listener that answers at dial.
func (w *world) talkTo(l net.Listener, dial, message string) conversation {
	w.Helper()
	echoed := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			// Programs in between may lose the end.
			err = c.SetDeadline(time.Now().Add(patience))
		}
		if err == nil {
			// Wrapped, because splicing leaves pipes behind.
			_, err = io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c})
			err = errors.Join(err, c.Close())
		}
		echoed <- err
	}()
	c, err := net.DialTimeout("tcp", dial, patience)
	w.must(err)
	defer c.Close()
	w.must(c.SetDeadline(time.Now().Add(patience)))
	_, err = c.Write([]byte(message))
	w.must(err)
	buf := make([]byte, len(message))
	_, err = io.ReadFull(c, buf)
	w.must(err)
	w.equal("echo", string(buf), message)
	w.must(c.(*net.TCPConn).CloseWrite())
	w.must(<-echoed)
	return conversation{c.LocalAddr().(*net.TCPAddr), c.RemoteAddr().(*net.TCPAddr)}
}

// addr is an address as programs hold it.
func addr(a *net.TCPAddr) packet.Addr { return packet.AddrFrom(a.AddrPort().Addr()) }

// pid is this process.
func pid() uint32 { return uint32(os.Getpid()) }

// comm is the name of a thread: programs see the first 15 bytes.
func comm(b [16]byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b[:])
}

// spawn makes the kernel execute a program: one that is none, which is enough for
// the system call, and works on machines without programs.
func (w *world) spawn() {
	w.Helper()
	name := filepath.Join(w.TempDir(), "script")
	w.must(os.WriteFile(name, []byte("#!/no such interpreter\n"), 0o700))
	if err := exec.Command(name).Run(); !errors.Is(err, os.ErrNotExist) {
		w.Fatalf("run a script without an interpreter: %v", err)
	}
}

// refused reports whether an error is the kernel's for what a cgroup program
// denied.
func refused(err error) bool { return errors.Is(err, syscall.EPERM) }
