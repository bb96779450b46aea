package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Where the clients come, and where the target listens.
const (
	front = "127.0.0.1:8001"
	back  = "127.0.0.1:8002"
)

// serverEnv makes a process the target: a duration.
const serverEnv = "WAGGLE_BENCH_SERVER"

// serve is the target: it echoes.
func serve(spec string) error {
	boot, err := time.ParseDuration(spec)
	if err != nil {
		return err
	}
	time.Sleep(boot)
	var l net.Listener
	if os.Getenv("LISTEN_FDS") != "" {
		const first = 3 // SD_LISTEN_FDS_START
		l, err = net.FileListener(os.NewFile(first, "listener"))
	} else {
		l, err = net.Listen("tcp", back)
	}
	if err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			_, _ = io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c})
		}()
	}
}

// patience is how long anything may take here.
const patience = 30 * time.Second

// ask sends 64 bytes and waits until they have come back.
func ask(c net.Conn) error {
	var b [64]byte
	if _, err := c.Write(b[:]); err != nil {
		return err
	}
	_, err := io.ReadFull(c, b[:])
	return err
}

// visit is a client.
func visit(addr string) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	return ask(c)
}

// background starts a program, which is killed by the function that is returned.
func background(cmd *exec.Cmd) (stop func(), err error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		_ = cmd.Wait()
	}, nil
}

// startDirect starts the target and connects as soon as that goes.
func startDirect(ctx context.Context, boot time.Duration) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Env = append(os.Environ(), serverEnv+"="+boot.String())
	began := time.Now()
	stop, err := background(cmd)
	if err != nil {
		return 0, err
	}
	defer stop()
	for {
		err := visit(back)
		if err == nil {
			return time.Since(began), nil
		}
		if !errors.Is(err, syscall.ECONNREFUSED) || time.Since(began) > patience || ctx.Err() != nil {
			return 0, err
		}
		time.Sleep(time.Millisecond)
	}
}

// noPeer is the time of a peer that isn't installed.
const noPeer time.Duration = 0

// startActivated lets systemd's tool start the target.
func startActivated(ctx context.Context, boot time.Duration) (time.Duration, error) {
	path, err := exec.LookPath("systemd-socket-activate")
	if err != nil {
		return noPeer, nil
	}
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, path, "--listen="+front, "--setenv="+serverEnv+"="+boot.String(), self)
	errOut, err := cmd.StderrPipe()
	if err != nil {
		return 0, err
	}
	stop, err := background(cmd)
	if err != nil {
		return 0, err
	}
	defer stop()
	if err := await(errOut, "Listening on"); err != nil {
		return 0, err
	}
	began := time.Now()
	err = visit(front)
	return time.Since(began), err
}

// await reads lines until one contains a text, and goes on reading behind it.
func await(r io.Reader, text string) error {
	in := bufio.NewScanner(r)
	var lines []string
	for in.Scan() {
		lines = append(lines, in.Text())
		if strings.Contains(in.Text(), text) {
			go func() { _, _ = io.Copy(io.Discard, r) }()
			return nil
		}
	}
	return fmt.Errorf("no line has %q: %s", text, strings.Join(lines, "; "))
}

// startWaggle starts waggle wake. Its access log goes to out.
func startWaggle(ctx context.Context, o *options, boot time.Duration, engine string, out io.Writer) (stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, o.waggle, "wake", "--listen", front, "--to", back, "--engine", engine, "--log", "json",
		"--start", fmt.Sprintf("exec:%s=%s exec %s", serverEnv, boot, self))
	cmd.Stdout = out
	errOut, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if stop, err = background(cmd); err != nil {
		return nil, err
	}
	if err := await(errOut, "listening on"); err != nil {
		stop()
		return nil, err
	}
	return stop, nil
}

// startWoken lets some clients wake the target.
func startWoken(ctx context.Context, o *options, boot time.Duration, clients int) (time.Duration, error) {
	stop, err := startWaggle(ctx, o, boot, "splice", nil)
	if err != nil {
		return 0, err
	}
	defer stop()
	errs := make(chan error, clients)
	began := time.Now()
	for range clients {
		go func() { errs <- visit(front) }()
	}
	for range clients {
		err = errors.Join(err, <-errs)
	}
	return time.Since(began), err
}
