package redirect_test

import (
	"bytes"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/redirect"
)

// This file has readers that go about their sockets in ways of their own, as programs
// in other languages do.

// rawPair makes a connection without Go's poller; its sockets don't block.
func rawPair(t *testing.T) (client, server int) {
	t.Helper()
	l := rawListener(t)
	return rawConnect(t, l, unix.SOCK_NONBLOCK)
}

func rawListener(t *testing.T) int {
	t.Helper()
	return rawListenerAt(t, [4]byte{127, 0, 0, 1}, 0)
}

func rawListenerAt(t *testing.T, addr [4]byte, port int) int {
	t.Helper()
	l := must(unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0))(t)
	t.Cleanup(func() { unix.Close(l) })
	check(t, unix.Bind(l, &unix.SockaddrInet4{Addr: addr, Port: port}))
	check(t, unix.Listen(l, 10))
	return l
}

func rawConnect(t *testing.T, l, flags int) (client, server int) {
	t.Helper()
	client = must(unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|flags, 0))(t)
	t.Cleanup(func() { unix.Close(client) })
	if err := unix.Connect(client, must(unix.Getsockname(l))(t)); !errors.Is(err, unix.EINPROGRESS) {
		check(t, err)
	}
	server, _, err := unix.Accept4(l, unix.SOCK_CLOEXEC|flags)
	check(t, err)
	t.Cleanup(func() { unix.Close(server) })
	wait(t, client, unix.POLLOUT)
	return client, server
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		check(t, err)
		return v
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wait waits until a socket is ready.
func wait(t *testing.T, fd int, events int16) {
	t.Helper()
	fds := []unix.PollFd{{Fd: int32(fd), Events: events}}
	for {
		n, err := unix.Poll(fds, int(patience/time.Millisecond))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		check(t, err)
		if n == 0 {
			t.Fatal("socket is not ready")
		}
		return
	}
}

// put writes all to a socket that does not block, from which the other end reads.
func put(t *testing.T, fd int, b []byte) {
	t.Helper()
	for len(b) > 0 {
		n, err := unix.Write(fd, b)
		if errors.Is(err, unix.EAGAIN) {
			wait(t, fd, unix.POLLOUT)
			continue
		}
		check(t, err)
		b = b[n:]
	}
}

// get reads a number of bytes from a socket that does not block.
func get(t *testing.T, fd, n int) []byte {
	t.Helper()
	var all []byte
	for len(all) < n {
		wait(t, fd, unix.POLLIN)
		b := make([]byte, n-len(all))
		k, err := unix.Read(fd, b)
		if k <= 0 {
			t.Fatalf("read: %d, %v", k, err)
		}
		all = append(all, b[:k]...)
	}
	return all
}

// exchange lets both ends say something in turn.
func exchange(t *testing.T, a, b, turns int) {
	t.Helper()
	for range turns {
		put(t, a, []byte("question"))
		get(t, b, 8)
		put(t, b, []byte("answer"))
		get(t, a, 6)
	}
}

// edge is a reader that waits when it has read less than it wanted, or is told that
// there is nothing more, until there is news: so do nginx and programs on tokio.
type edge struct {
	fd, poll int
	size     int  // of its buffer
	asks     bool // for the amount when the buffer was filled
}

func newEdge(t *testing.T, fd, size int, asks bool) *edge {
	t.Helper()
	e := &edge{fd: fd, poll: must(unix.EpollCreate1(unix.EPOLL_CLOEXEC))(t), size: size, asks: asks}
	t.Cleanup(func() { unix.Close(e.poll) })
	check(t, unix.EpollCtl(e.poll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(fd)}))
	return e
}

// read reads until it has n bytes.
func (e *edge) read(n int) ([]byte, error) {
	var all []byte
	for len(all) < n {
		events := make([]unix.EpollEvent, 1)
		k, err := unix.EpollWait(e.poll, events, int(patience/3/time.Millisecond))
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || k == 0 {
			return all, fmt.Errorf("no news after %d bytes, %v", len(all), err)
		}
		for more := true; more; {
			b := make([]byte, e.size)
			k, err := unix.Read(e.fd, b)
			if errors.Is(err, unix.EAGAIN) {
				break
			}
			if err != nil || k == 0 {
				return all, fmt.Errorf("end after %d bytes, %v", len(all), err)
			}
			all = append(all, b[:k]...)
			more = k == e.size
			if more && e.asks {
				left, err := unix.IoctlGetInt(e.fd, unix.TIOCINQ)
				if err != nil {
					return all, err
				}
				more = left > 0
			}
		}
	}
	return all, nil
}

// flood sends so much from a to b, which reads it, that the direction is bulk.
func flood(t *testing.T, a, b int) {
	t.Helper()
	chunk := make([]byte, 60_000)
	for range 8 {
		put(t, a, chunk)
		get(t, b, len(chunk))
	}
}

// TestShortReads: a reader that waits for news after a short read gets what comes
// through TCP behind something that it had left on the short cut, whoever it was that
// has ended the short cut.
func TestShortReads(t *testing.T) {
	for _, test := range []struct {
		name    string
		end     func(t *testing.T, reader, writer int) // ends the short cut
		between string
	}{
		{"reader sends in bulk", func(t *testing.T, reader, writer int) { flood(t, reader, writer) }, ""},
		{"writer sends in bulk", func(t *testing.T, reader, writer int) { put(t, writer, make([]byte, 600_000)) }, string(make([]byte, 600_000))},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := start(t, redirect.Options{Mark: 256 << 10})
			reader, writer := rawPair(t)
			exchange(t, reader, writer, 5)
			put(t, writer, []byte("short"))
			test.end(t, reader, writer)
			put(t, writer, []byte("tcp"))
			want := "short" + test.between + "tcp"
			got, err := newEdge(t, reader, 1<<20, false).read(len(want))
			if err != nil || string(got) != want {
				t.Errorf("got %d bytes, %v", len(got), err)
			}
			if sum := summary(t, s); sum.Ways["short"] == 2 {
				t.Errorf("the short cut has not ended: %v", sum.Ways)
			}
		})
	}
}

// TestWatchedBefore: a reader that was looked after while it learnt, because it left
// something unread, is woken nevertheless when the connection leaves.
func TestWatchedBefore(t *testing.T) {
	start(t, redirect.Options{})
	for range 10 {
		reader, writer := rawPair(t)
		put(t, writer, []byte("unread"))
		time.Sleep(20 * time.Millisecond)
		get(t, reader, len("unread"))
		exchange(t, reader, writer, 5)
		put(t, writer, []byte("short"))
		flood(t, reader, writer)
		put(t, writer, []byte("tcp"))
		if got, err := newEdge(t, reader, 1<<20, false).read(len("shorttcp")); err != nil || string(got) != "shorttcp" {
			t.Fatalf("got %q, %v", got, err)
		}
	}
}

// TestAsking: readers that ask how much there is get it all, on a connection that has
// been short-cut, and one that was sent to before it was accepted.
func TestAsking(t *testing.T) {
	start(t, redirect.Options{})
	message := bytes.Repeat([]byte("0123456789"), 2000)
	t.Run("left", func(t *testing.T) {
		reader, writer := rawPair(t)
		exchange(t, reader, writer, 5)
		e := newEdge(t, reader, 1000, true)
		flood(t, reader, writer)
		put(t, writer, message)
		if got, err := e.read(len(message)); err != nil || !bytes.Equal(got, message) {
			t.Errorf("got %d bytes, %v", len(got), err)
		}
	})
	for i := range 3 { // what the port is like is known from the second one on
		t.Run(fmt.Sprint("early ", i), func(t *testing.T) {
			l := rawListener(t)
			client := must(unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0))(t)
			defer unix.Close(client)
			if err := unix.Connect(client, must(unix.Getsockname(l))(t)); !errors.Is(err, unix.EINPROGRESS) {
				check(t, err)
			}
			wait(t, client, unix.POLLOUT)
			put(t, client, message)
			put(t, client, message)
			server, _, err := unix.Accept4(l, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
			check(t, err)
			defer unix.Close(server)
			want := append(message[:len(message):len(message)], message...)
			if got, err := newEdge(t, server, 1000, true).read(len(want)); err != nil || !bytes.Equal(got, want) {
				t.Errorf("got %d bytes, %v", len(got), err)
			}
		})
	}
}

// TestDeferred: a client that sends before the server's end is there is not short-cut.
func TestDeferred(t *testing.T) {
	s := start(t, redirect.Options{})
	l := rawListener(t)
	check(t, unix.SetsockoptInt(l, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 30))
	client := must(unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0))(t)
	defer unix.Close(client)
	if err := unix.Connect(client, must(unix.Getsockname(l))(t)); !errors.Is(err, unix.EINPROGRESS) {
		check(t, err)
	}
	wait(t, client, unix.POLLOUT)
	put(t, client, make([]byte, 10_000))
	server, _, err := unix.Accept4(l, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
	check(t, err)
	defer unix.Close(server)
	if _, err := newEdge(t, server, 1000, true).read(10_000); err != nil {
		t.Error(err)
	}
	exchange(t, client, server, 5)
	if sum := summary(t, s); sum.Messages != 0 || sum.Ways["alone"] == 0 {
		t.Errorf("got %+v", sum)
	}
}

// TestBlockingSockets: reads of sockets that block wait for what they want, whatever
// wakes them.
func TestBlockingSockets(t *testing.T) {
	s := start(t, redirect.Options{})
	l := rawListener(t)
	t.Run("MSG_WAITALL", func(t *testing.T) {
		client, server := rawConnect(t, l, 0)
		got := make(chan int, 1)
		go func() {
			n, _, err := unix.Recvfrom(server, make([]byte, 100), unix.MSG_WAITALL)
			if err != nil {
				n = -int(err.(syscall.Errno))
			}
			got <- n
		}()
		for range 10 {
			put(t, client, []byte("0123456789"))
			time.Sleep(5 * time.Millisecond)
		}
		expect(t, got, 100)
	})
	t.Run("two threads", func(t *testing.T) {
		client, server := rawConnect(t, l, 0)
		got := make(chan int, 1)
		go func() {
			n, err := unix.Read(client, make([]byte, 100))
			if err != nil {
				n = -int(err.(syscall.Errno))
			}
			got <- n
		}()
		const size = 30 << 20
		go func() {
			b := make([]byte, size)
			for len(b) > 0 {
				n, err := unix.Write(client, b)
				if err != nil {
					return
				}
				b = b[n:]
			}
		}()
		time.Sleep(100 * time.Millisecond) // until the writer has to wait
		get(t, server, size)
		put(t, server, []byte("answer"))
		expect(t, got, 6)
	})
	if sum := summary(t, s); sum.Messages != 0 || sum.Refused == 0 {
		t.Errorf("got %+v", sum)
	}
}

func expect(t *testing.T, got <-chan int, want int) {
	t.Helper()
	select {
	case n := <-got:
		if n != want {
			t.Errorf("read: %d, want %d", n, want)
		}
	case <-time.After(patience / 3):
		t.Error("the reader hangs")
	}
}

// TestZerocopy: who wants to be told when memory is free is told.
func TestZerocopy(t *testing.T) {
	start(t, redirect.Options{})
	client, server := rawPair(t)
	check(t, unix.SetsockoptInt(client, unix.SOL_SOCKET, unix.SO_ZEROCOPY, 1))
	exchange(t, client, server, 5)
	if _, err := unix.SendmsgN(client, make([]byte, 10_000), nil, nil, unix.MSG_ZEROCOPY); err != nil {
		t.Fatal(err)
	}
	get(t, server, 10_000)
	wait(t, client, unix.POLLERR)
	if _, n, _, _, err := unix.Recvmsg(client, nil, make([]byte, 100), unix.MSG_ERRQUEUE); err != nil || n == 0 {
		t.Errorf("no notification: %d bytes, %v", n, err)
	}
}

// TestReconnect: a socket that is disconnected and connected anew, while its old peer is
// still open, reaches its new peer.
func TestReconnect(t *testing.T) {
	start(t, redirect.Options{})
	client, old := rawPair(t)
	exchange(t, client, old, 5)
	l := rawListener(t)
	check(t, disconnect(client))
	if err := unix.Connect(client, must(unix.Getsockname(l))(t)); !errors.Is(err, unix.EINPROGRESS) {
		check(t, err)
	}
	server, _, err := unix.Accept4(l, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
	check(t, err)
	defer unix.Close(server)
	wait(t, client, unix.POLLOUT)
	exchange(t, client, server, 5)
}

// disconnect connects to no family; see connect(2).
func disconnect(fd int) error {
	var none [16]byte
	if _, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&none)), unsafe.Sizeof(none)); errno != 0 {
		return errno
	}
	return nil
}
