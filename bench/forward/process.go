package main

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

// process is a running peer.
type process struct {
	cmd    *exec.Cmd
	group  string // its cgroup's directory
	dir    string
	output bytes.Buffer
	ended  chan error
}

// start runs a peer and returns when it listens.
func start(p *peer, v params) (*process, error) {
	mount, err := testkit.CgroupMount()
	if err != nil {
		return nil, err
	}
	r := &process{ended: make(chan error, 1), group: filepath.Join(mount, fmt.Sprintf("waggle-bench-%d", os.Getpid()))}
	if r.dir, err = os.MkdirTemp("", "waggle-bench-"); err != nil {
		return nil, err
	}
	if err := r.launch(p, v); err != nil {
		r.stop()
		return nil, fmt.Errorf("start %s: %w%s", p.name, err, r.lastWords())
	}
	return r, nil
}

func (r *process) launch(p *peer, v params) error {
	v.Dir = r.dir
	cmd, err := p.prepare(v)
	if err != nil {
		return err
	}
	if err := os.Mkdir(r.group, 0o755); err != nil {
		return err
	}
	group, err := os.Open(r.group)
	if err != nil {
		return err
	}
	defer group.Close()
	if strings.Contains(p.command, "LISTEN_FDS") {
		listener, err := listenFile(front)
		if err != nil {
			return err
		}
		defer listener.Close()
		cmd.ExtraFiles = []*os.File{listener}
	}
	cmd.Stdout, cmd.Stderr = &r.output, &r.output
	cmd.SysProcAttr = &syscall.SysProcAttr{
		UseCgroupFD: true, CgroupFD: int(group.Fd()), Pdeathsig: syscall.SIGKILL,
	}
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		return err
	}
	r.cmd = cmd
	go func() { r.ended <- cmd.Wait() }()
	return r.waitForListener()
}

// waitForListener looks for the listening socket. It does not connect: that would be
// forwarded.
func (r *process) waitForListener() error {
	for deadline := time.Now().Add(15 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if ok, err := listens(front); ok || err != nil {
			return err
		}
		select {
		case err := <-r.ended:
			r.ended <- err
			return fmt.Errorf("it has ended: %v", err)
		default:
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("it does not listen on %v", front)
		}
	}
}

// listens looks for a listening socket in /proc/net/tcp (proc_pid_net(5)).
func listens(addr netip.AddrPort) (bool, error) {
	text, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return false, err
	}
	port := fmt.Sprintf(":%04X", addr.Port())
	const local, state, listen = 1, 3, "0A"
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) > state && f[state] == listen && strings.HasSuffix(f[local], port) {
			return true, nil
		}
	}
	return false, nil
}

// listenFile is a listening socket to be inherited.
func listenFile(addr netip.AddrPort) (*os.File, error) {
	l, err := net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(addr))
	if err != nil {
		return nil, err
	}
	defer l.Close()
	return l.File()
}

// stop ends the process with its children, and removes what start has made.
func (r *process) stop() {
	if r.cmd != nil {
		_ = r.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-r.ended:
		case <-time.After(3 * time.Second):
		}
	}
	_ = os.WriteFile(filepath.Join(r.group, "cgroup.kill"), []byte("1"), 0)
	for range 500 { // it is busy until the last process is reaped
		if err := os.Remove(r.group); err == nil || os.IsNotExist(err) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	_ = os.RemoveAll(r.dir)
}

// lastWords is the end of what the process has printed.
func (r *process) lastWords() string {
	text := strings.TrimSpace(r.output.String())
	if text == "" {
		return ""
	}
	lines := strings.Split(text, "\n")
	return ": " + strings.Join(lines[max(0, len(lines)-3):], "; ")
}
