package wake

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/waggle-bpf/waggle/forward/backend"
	"github.com/waggle-bpf/waggle/forward/config"
	"github.com/waggle-bpf/waggle/forward/proxy"
)

// Probe finds out whether a target is ready.
type Probe interface {
	// Look tells whether the target is there, without much waiting: this is before it
	// is started.
	Look(ctx context.Context) error
	// Check tells whether a target is ready that was started so long ago. It takes its
	// time only if the target does.
	Check(ctx context.Context, since time.Duration) error
}

// ParseProbe returns the probe of a target at an address that a text stands for: tcp,
// ssh, http:PATH or exec:CMD. A target that wants to be told by the PROXY protocol who
// the client is wants that of the probe, too.
func ParseProbe(text, to string, send config.ProxyOut) (Probe, error) {
	kind, rest, more := strings.Cut(text, ":")
	switch {
	case kind == "tcp" && !more:
		return newTalk(to, send, backend.TCP{})
	case kind == "ssh" && !more:
		return newTalk(to, send, backend.Expect{Expect: []byte("SSH-")})
	case kind == "http" && strings.HasPrefix(rest, "/"):
		return newTalk(to, send, backend.HTTP{Path: rest})
	case kind == "exec" && strings.TrimSpace(rest) != "":
		return &command{text: rest}, nil
	}
	return nil, fmt.Errorf("no readiness test %q; there are tcp, ssh, http:/PATH and exec:COMMAND", text)
}

// How long it may take until a target answers. Before it is started, one that does not
// answer the dial at once is taken for one that is not there.
const (
	lookTimeout   = 2 * time.Second
	lookConnect   = 100 * time.Millisecond
	shortConnect  = 250 * time.Millisecond
	longConnect   = 2 * time.Second
	answerTimeout = 10 * time.Second
)

// talk is the probe that connects to the target and talks to it.
type talk struct {
	to       string
	greeting []byte // before the probe
	probe    backend.Probe
}

func newTalk(to string, send config.ProxyOut, p backend.Probe) (*talk, error) {
	t := &talk{to: to, probe: p}
	if send == config.NoProxy {
		return t, nil
	}
	var err error
	h := proxy.Header{Version: proxy.Version(send), Local: true} // for itself
	t.greeting, err = h.Append(nil)
	return t, err
}

func (t *talk) Look(ctx context.Context) error { return t.ask(ctx, lookConnect, lookTimeout) }

// Check gives a machine that is off, and so doesn't even refuse, the more time to
// answer the longer ago it was started: if it comes up in the midst of a dial, this one
// is lost.
func (t *talk) Check(ctx context.Context, since time.Duration) error {
	return t.ask(ctx, min(max(since/10, shortConnect), longConnect), answerTimeout)
}

func (t *talk) ask(ctx context.Context, connect, answer time.Duration) error {
	dialer := net.Dialer{Timeout: connect, KeepAlive: -1}
	conn, err := dialer.DialContext(ctx, "tcp", t.to)
	if err != nil {
		return fmt.Errorf("dial %s: %w", t.to, plain(err, connect))
	}
	defer conn.Close()
	// Close ends a talk whose time is over.
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	_ = conn.SetDeadline(time.Now().Add(answer))
	if err := t.talk(conn); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return fmt.Errorf("ask %s: %w", t.to, plain(err, answer))
	}
	return nil
}

func (t *talk) talk(conn net.Conn) error {
	if len(t.greeting) > 0 {
		if _, err := conn.Write(t.greeting); err != nil {
			return err
		}
	}
	return t.probe.Probe(conn)
}

// plain takes from an error what goes without saying.
func plain(err error, limit time.Duration) error {
	var op *net.OpError
	var call *os.SyscallError
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no answer in %s", limit)
	case errors.As(err, &call):
		return call.Err
	case errors.As(err, &op):
		return op.Err
	}
	return err
}

// command is the probe that runs a command: the target is ready if its exit status is 0.
type command struct{ text string }

func (c *command) Look(ctx context.Context) error { return c.run(ctx) }

func (c *command) Check(ctx context.Context, _ time.Duration) error { return c.run(ctx) }

func (c *command) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", c.text)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // with its children
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("run %s: %w", c.text, err)
	}
	return nil
}
