// Echo is a TCP echo server whose data never reaches it: it accepts connections
// and leaves the rest to the kernel.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/bpf/packet"
	"github.com/waggle-bpf/waggle/examples/echo/kern"
	"github.com/waggle-bpf/waggle/load"
)

//go:generate go run ../../cmd/waggle build ./kern --go zkern.go

func main() {
	addr := flag.String("l", "127.0.0.1:7007", "address to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *addr); err != nil {
		fmt.Fprintln(os.Stderr, "echo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, addr string) error {
	k, err := LoadKern(load.Options{})
	if err != nil {
		return err
	}
	defer k.Close() // detaches the program, too
	// The program belongs to the object's only map of sockets.
	if _, err := k.AttachEcho(load.Target{}); err != nil {
		return err
	}

	var config net.ListenConfig
	config.SetMultipathTCP(false) // such sockets can't be in the map
	listener, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	context.AfterFunc(ctx, func() { listener.Close() }) // ends the loop
	fmt.Fprintf(os.Stderr, "echoing on %v, Ctrl-C ends it\n", listener.Addr())
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			if err := serve(k, conn.(*net.TCPConn)); err != nil {
				fmt.Fprintf(os.Stderr, "serve %v: %v\n", conn.RemoteAddr(), err)
			}
		}()
	}
}

// serve hands a connection over to the kernel and waits for its end.
func serve(k *Kern, conn *net.TCPConn) error {
	client := conn.RemoteAddr().(*net.TCPAddr).AddrPort()
	key := kern.Client{Addr: packet.AddrFrom(client.Addr()), Port: uint32(client.Port())}
	err := k.Conns.Put(key, conn)
	if errors.Is(err, syscall.EOPNOTSUPP) {
		// Too late for the map: the client has sent all it had and said so.
		_, err = io.Copy(conn, conn)
		return err
	}
	if err != nil {
		return err
	}
	if err := kick(conn); err != nil {
		return err
	}
	// Nothing comes here but the end.
	if _, err := io.Copy(io.Discard, conn); err != nil {
		return err
	}
	return drain(conn)
}

// kick makes the kernel look at what the client has sent before its connection
// came into the map; by itself it does so when the next packet arrives. Setting
// the low-water mark, to what it is anyway, has that effect.
func kick(conn *net.TCPConn) error {
	return control(conn, func(fd int) error {
		return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVLOWAT, 1)
	})
}

// drain waits until the client has acknowledged all of its echo: what the kernel
// has not sent when the socket is closed is lost.
func drain(conn *net.TCPConn) error {
	const limit = 10 * time.Second
	for start := time.Now(); time.Since(start) < limit; time.Sleep(time.Millisecond) {
		var info *unix.TCPInfo
		err := control(conn, func(fd int) (err error) {
			info, err = unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
			return err
		})
		// The client's FIN counts as a byte received.
		if err != nil || info.Bytes_acked+1 >= info.Bytes_received {
			return err
		}
	}
	return errors.New("the client does not take its echo")
}

func control(conn *net.TCPConn, f func(fd int) error) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var callErr error
	err = raw.Control(func(fd uintptr) { callErr = f(int(fd)) })
	return errors.Join(err, callErr)
}
