package redirect_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/redirect"
)

// The flags of programs of control groups, in include/uapi/linux/bpf.h.
const (
	exclusive     = 0
	allowOverride = 1
	allowMulti    = 2
)

// wipe is a sockops program that sets the callback flags of established sockets as it
// likes, namely to none, and counts how often it has.
func wipe(t *testing.T) (*ebpf.Program, *ebpf.Map) {
	t.Helper()
	count, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	testkit.Need(t, err)
	t.Cleanup(func() { count.Close() })
	const activeEstablished, passiveEstablished = 4, 5
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "wipe", Type: ebpf.SockOps, AttachType: ebpf.AttachCGroupSockOps, License: "GPL",
		Instructions: asm.Instructions{
			asm.Mov.Reg(asm.R6, asm.R1),
			asm.LoadMem(asm.R2, asm.R6, 0, asm.Word), // op
			asm.JEq.Imm(asm.R2, activeEstablished, "established"),
			asm.JNE.Imm(asm.R2, passiveEstablished, "out"),
			asm.Mov.Imm(asm.R2, 0).WithSymbol("established"),
			asm.FnSockOpsCbFlagsSet.Call(),
			asm.StoreImm(asm.RFP, -4, 0, asm.Word),
			asm.LoadMapPtr(asm.R1, count.FD()),
			asm.Mov.Reg(asm.R2, asm.RFP),
			asm.Add.Imm(asm.R2, -4),
			asm.FnMapLookupElem.Call(),
			asm.JEq.Imm(asm.R0, 0, "out"),
			asm.Mov.Imm(asm.R1, 1),
			asm.StoreXAdd(asm.R0, asm.R1, asm.DWord),
			asm.Mov.Imm(asm.R0, 1).WithSymbol("out"),
			asm.Return(),
		},
	})
	testkit.Need(t, err)
	t.Cleanup(func() { p.Close() })
	return p, count
}

// attachRaw attaches a program to a control group as tools without links do, until the
// test ends.
func attachRaw(t *testing.T, dir string, p *ebpf.Program, flags uint32) {
	t.Helper()
	f, err := os.Open(dir)
	check(t, err)
	t.Cleanup(func() { f.Close() })
	testkit.Need(t, link.RawAttachProgram(link.RawAttachProgramOptions{Target: int(f.Fd()), Program: p, Attach: ebpf.AttachCGroupSockOps, Flags: flags}))
	t.Cleanup(func() {
		err := link.RawDetachProgram(link.RawDetachProgramOptions{Target: int(f.Fd()), Program: p, Attach: ebpf.AttachCGroupSockOps})
		if err != nil {
			t.Error(err)
		}
	})
}

// below makes a control group below another one.
func below(t *testing.T, g *testkit.Cgroup) *testkit.Cgroup {
	t.Helper()
	child := &testkit.Cgroup{Path: filepath.Join(g.Path, "below")}
	check(t, os.Mkdir(child.Path, 0o755))
	t.Cleanup(func() {
		for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
			err := unix.Rmdir(child.Path)
			if err == nil {
				return
			}
			if !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
				t.Error(err)
				return
			}
		}
	})
	return child
}

// TestOtherPrograms: beside programs that take the callbacks away, attached before or
// after, here or above, connections are short-cut, leave the short cut, and give back
// their places.
func TestOtherPrograms(t *testing.T) {
	for name, attach := range map[string]func(t *testing.T, parent, group *testkit.Cgroup, start func()) *ebpf.Map{
		"before": func(t *testing.T, _, group *testkit.Cgroup, start func()) *ebpf.Map {
			p, count := wipe(t)
			attachRaw(t, group.Path, p, allowMulti)
			start()
			return count
		},
		"after": func(t *testing.T, _, group *testkit.Cgroup, start func()) *ebpf.Map {
			p, count := wipe(t)
			start()
			attachRaw(t, group.Path, p, allowMulti)
			return count
		},
		"above": func(t *testing.T, parent, _ *testkit.Cgroup, start func()) *ebpf.Map {
			p, count := wipe(t)
			attachRaw(t, parent.Path, p, allowMulti)
			start()
			return count
		},
	} {
		t.Run(name, func(t *testing.T) {
			parent := testkit.NewCgroup(t)
			group := below(t, parent)
			var s *redirect.Session
			count := attach(t, parent, group, func() { s = startFor(t, group, redirect.Options{MaxConnections: 4}) })
			group.Join(t)
			for i := range 12 {
				reader, writer := rawPair(t)
				exchange(t, reader, writer, 5)
				if i%4 == 0 {
					put(t, writer, []byte("short"))
					flood(t, reader, writer)
					put(t, writer, []byte("tcp"))
					if got, err := newEdge(t, reader, 1<<20, false).read(8); err != nil || string(got) != "shorttcp" {
						t.Fatalf("got %q, %v", got, err)
					}
				}
				unix.Close(reader)
				unix.Close(writer)
			}
			sum := summary(t, s)
			if sum.Connections != 12 || sum.Full != 0 || sum.Messages < 40 || sum.Ways["bulk"] != 3 {
				t.Errorf("got %+v", sum)
			}
			var n uint64
			if err := count.Lookup(uint32(0), &n); err != nil || n != 24 {
				t.Errorf("the other program has run %d times, %v, want 24", n, err)
			}
		})
	}
}

// TestDeaf: if another program has taken the callbacks away, and the only message that was
// too much for the short cut has passed, the connection leaves the map nevertheless.
func TestDeaf(t *testing.T) {
	group := testkit.NewCgroup(t)
	s := startFor(t, group, redirect.Options{Mark: redirect.MinMark})
	p, _ := wipe(t)
	attachRaw(t, group.Path, p, allowMulti)
	group.Join(t)
	reader, writer := rawPair(t)
	exchange(t, reader, writer, 5)
	time.Sleep(200 * time.Millisecond) // nobody watches it any more
	const size = 30_000
	put(t, writer, make([]byte, size))
	if got, err := newEdge(t, reader, 1000, true).read(size); err != nil {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	if sum := summary(t, s); sum.Ways["backlog"]+sum.Ways["bulk"] != 1 {
		t.Errorf("got %+v", sum)
	}
}

// TestProgramsInTheWay: programs that would not go on running, or that want to be alone,
// are told of, and nothing stays attached.
func TestProgramsInTheWay(t *testing.T) {
	for name, test := range map[string]struct {
		flags uint32
		want  string
	}{
		"override":  {allowOverride, "(wipe), of a group above, would not run for it any more"},
		"exclusive": {exclusive, "(wipe) of "},
	} {
		t.Run(name, func(t *testing.T) {
			parent := testkit.NewCgroup(t)
			group := below(t, parent)
			p, count := wipe(t)
			attachRaw(t, parent.Path, p, test.flags)
			s, err := redirect.Start(redirect.Options{Cgroups: []string{group.Path}})
			if err == nil {
				s.Close()
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v", err)
			}
			group.Join(t)
			rawPair(t)
			var n uint64
			if err := count.Lookup(uint32(0), &n); err != nil || n != 2 {
				t.Errorf("the other program has run %d times, %v, want 2", n, err)
			}
		})
	}
}

// TestNamespaces: connections between network namespaces are short-cut.
func TestNamespaces(t *testing.T) {
	s := start(t, redirect.Options{})
	pair := testkit.NewPair(t)
	var l int
	pair.B.NS.Do(t, func() { l = rawListenerAt(t, pair.B.V4.As4(), 0) })
	var client, server int
	pair.A.NS.Do(t, func() { client, server = rawConnect(t, l, unix.SOCK_NONBLOCK) })
	exchange(t, client, server, 20)
	if sum := summary(t, s); sum.Connections != 1 || sum.Ways["short"] != 2 {
		t.Errorf("got %+v", sum)
	}
	// A reader that has to be woken is found, too.
	put(t, client, []byte("short"))
	flood(t, server, client)
	put(t, client, []byte("tcp"))
	if got, err := newEdge(t, server, 1<<20, false).read(8); err != nil || string(got) != "shorttcp" {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestStrangers: the server's end of one namespace is not taken for that of another one in
// which a connection of the same addresses and ports waits for its own.
func TestStrangers(t *testing.T) {
	s := start(t, redirect.Options{})
	var listeners, clients [2]int
	for i := range clients {
		ns := testkit.NewNS(t)
		ns.Do(t, func() {
			listeners[i] = rawListenerAt(t, [4]byte{127, 0, 0, 1}, 7001)
			// Its ends come with the first data.
			check(t, unix.SetsockoptInt(listeners[i], unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 30))
			clients[i] = must(dialFrom(7002, 7001))(t)
		})
		defer unix.Close(clients[i])
		wait(t, clients[i], unix.POLLOUT)
	}
	// The last request that was seen is the second's, and the first end is the first's.
	for i, client := range clients {
		text := fmt.Sprint("namespace ", i)
		put(t, client, []byte(text))
		server, _, err := unix.Accept4(listeners[i], unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		check(t, err)
		defer unix.Close(server)
		if got := get(t, server, len(text)); string(got) != text {
			t.Errorf("said %q, heard %q", text, got)
		}
		exchange(t, client, server, 5)
	}
	if sum := summary(t, s); sum.Connections != 0 || sum.Messages != 0 {
		t.Errorf("got %+v", sum)
	}
}

// TestSameAddresses: connections that have the same addresses and ports in several
// network namespaces, made at the same time, are not taken for each other.
func TestSameAddresses(t *testing.T) {
	s := start(t, redirect.Options{})
	const namespaces, rounds = 4, 30
	var running sync.WaitGroup
	for i := range namespaces {
		ns := testkit.NewNS(t)
		var l int
		ns.Do(t, func() { l = rawListenerAt(t, [4]byte{127, 0, 0, 1}, 7001) })
		running.Go(func() {
			if err := meet(t, ns, l, i, rounds); err != nil {
				t.Errorf("namespace %d: %v", i, err)
			}
		})
	}
	running.Wait()
	if sum := summary(t, s); sum.Messages == 0 {
		t.Errorf("got %+v", sum)
	}
}

// meet connects from the same port again and again, and has a conversation that only
// this namespace has.
func meet(t *testing.T, ns *testkit.NS, l, name, rounds int) error {
	for round := range rounds {
		var client int
		var err error
		ns.Do(t, func() { client, err = dialFrom(7002, 7001) })
		if err != nil {
			return err
		}
		server, _, err := unix.Accept4(l, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			return errors.Join(err, unix.Close(client))
		}
		for turn := range 10 {
			text := fmt.Sprintf("namespace %d, round %2d, turn %d", name, round, turn)
			for _, dir := range [][2]int{{client, server}, {server, client}} {
				if err = tell(dir[0], dir[1], text); err != nil {
					break
				}
			}
		}
		// With a reset, or the ports would rest for a minute.
		linger := unix.SetsockoptLinger(client, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
		if err := errors.Join(err, linger, unix.Close(client), unix.Close(server)); err != nil {
			return err
		}
	}
	return nil
}

// dialFrom connects ports of loopback, with a socket that does not block.
func dialFrom(from, to int) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return 0, err
	}
	local := [4]byte{127, 0, 0, 1}
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		unix.Bind(fd, &unix.SockaddrInet4{Addr: local, Port: from}))
	if err == nil {
		if err = unix.Connect(fd, &unix.SockaddrInet4{Addr: local, Port: to}); errors.Is(err, unix.EINPROGRESS) {
			err = nil
		}
	}
	if err != nil {
		return 0, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

// tell sends a text and hears it at the other end, within the test's patience.
func tell(from, to int, text string) error {
	if _, err := unix.Write(from, []byte(text)); err != nil {
		return err
	}
	fds := []unix.PollFd{{Fd: int32(to), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, int(patience/time.Millisecond))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			return fmt.Errorf("hear %q: nothing comes, %v", text, err)
		}
		break
	}
	got := make([]byte, 100)
	n, err := unix.Read(to, got)
	if err != nil || string(got[:n]) != text {
		return fmt.Errorf("said %q, heard %q, %v", text, got[:max(n, 0)], err)
	}
	return nil
}
