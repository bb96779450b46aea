//go:build linux

package enginetest

import (
	"io"
	"net"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/forward/engine"
)

// forwardPlainly forwards what an engine has refused. It is as simple as can be: the
// suite's own tests compare engines that go wrong with it.
func forwardPlainly(p *engine.Pair) engine.End {
	failed := make(chan engine.Direction, 2)
	for _, d := range []engine.Direction{engine.Up, engine.Down} {
		go func() { failed <- pass(p, d) }()
	}
	end := engine.End{}
	for range 2 {
		if d := <-failed; d >= 0 && end.Cause == "" {
			end.Cause = [...]engine.Cause{engine.ClientReset, engine.BackendReset}[d]
			p.Wake()
		}
	}
	switch {
	case p.Aborted() != "":
		return engine.End{Cause: p.Aborted()}
	case end.Cause != "":
		return end
	}
	return p.Closed()
}

// clean is no direction.
const clean engine.Direction = -1

// pass copies one direction to its end and returns which side broke it, as the
// direction that this side sends in.
func pass(p *engine.Pair, d engine.Direction) engine.Direction {
	buf := make([]byte, 32<<10)
	for {
		n, err := p.Source(d).Read(buf)
		if n > 0 {
			if _, err := p.Sink(d).Write(buf[:n]); err != nil {
				return d.Other()
			}
			p.Count(d, n)
		}
		if err == io.EOF {
			if gone(p.Source(d)) && !p.Ended(d.Other()) {
				return d // in this order: it is marked before it is passed on
			}
			p.MarkEnded(d)
			if p.Sink(d).CloseWrite() != nil {
				return d.Other()
			}
			return clean
		}
		if err != nil {
			return d
		}
	}
}

// gone tells whether a connection that read an end, and that was not ended from this
// side, has been reset. The kernel tells of a reset once; if it told the writer, the
// reader sees an end.
func gone(c *net.TCPConn) bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return true
	}
	state := uint8(unix.BPF_TCP_CLOSE)
	_ = raw.Control(func(fd uintptr) {
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			state = info.State
		}
	})
	return state == unix.BPF_TCP_CLOSE
}
