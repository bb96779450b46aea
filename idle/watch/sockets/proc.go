//go:build linux

package sockets

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// Proc lists sockets by reading /proc/net/tcp and tcp6.
type Proc struct {
	files []*os.File
	buf   []byte
}

// OpenProc opens the lists of the network namespace of a process, or of the calling
// thread if pid is 0. They stay those of that namespace whatever becomes of the
// process.
func OpenProc(pid int) (*Proc, error) {
	dir := "/proc/thread-self/net"
	if pid != 0 {
		dir = fmt.Sprintf("/proc/%d/net", pid)
	}
	p := &Proc{buf: make([]byte, 0, 16<<10)}
	for _, name := range []string{"tcp", "tcp6"} {
		f, err := os.Open(filepath.Join(dir, name))
		if errors.Is(err, os.ErrNotExist) && name == "tcp6" {
			break // a kernel without IPv6
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("list sockets: %w", err), p.Close())
		}
		p.files = append(p.files, f)
	}
	return p, nil
}

// Close closes the lists.
func (p *Proc) Close() error {
	var errs []error
	for _, f := range p.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// Connections lists the open connections to some ports; without ports, to those on
// which somebody listens. The kernel makes up the list while it is read: one that is
// opened meanwhile may be in it or not.
func (p *Proc) Connections(ports Ports) ([]Socket, error) {
	var list []Socket
	listening := make(map[uint16]bool)
	err := p.read(func(s *Socket) {
		switch {
		case s.State == Listen:
			listening[s.Local.Port()] = true
		case s.State.Open() && ports.Has(s.Local.Port()):
			list = append(list, *s)
		}
	})
	if len(ports) == 0 {
		list = slices.DeleteFunc(list, func(s Socket) bool { return !listening[s.Local.Port()] })
	}
	return list, err
}

func (p *Proc) read(each func(*Socket)) error {
	for _, f := range p.files {
		if err := p.readFile(f, each); err != nil {
			return fmt.Errorf("list sockets: read %s: %w", f.Name(), err)
		}
	}
	return nil
}

// readFile reads a file from its beginning, line by line.
func (p *Proc) readFile(f *os.File, each func(*Socket)) error {
	var offset int64
	rest := p.buf[:0]
	var s Socket
	for {
		n, err := f.ReadAt(rest[len(rest):cap(rest)], offset)
		offset += int64(n)
		rest = rest[:len(rest)+n]
		for {
			line, more, ok := bytes.Cut(rest, []byte{'\n'})
			if !ok {
				break
			}
			if s.parse(line) {
				each(&s)
			}
			rest = more
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		rest = append(p.buf[:0], rest...) // to the buffer's front
	}
}

// parse reads a line of /proc/net/tcp (proc_net_tcp(5), get_tcp4_sock in
// net/ipv4/tcp_ipv4.c): number, local address, remote address, state, queues, timer...
// It returns false for the head line and for what is no socket any more.
func (s *Socket) parse(line []byte) bool {
	var fields [6][]byte
	for i := range fields {
		line = bytes.TrimLeft(line, " ")
		end := bytes.IndexByte(line, ' ')
		if end < 0 {
			return false
		}
		fields[i], line = line[:end], line[end:]
	}
	// What remains of a connection in TIME_WAIT or FIN_WAIT2 after its socket has
	// gone has timer 3 (get_timewait4_sock).
	if bytes.HasPrefix(fields[5], []byte("03:")) {
		return false
	}
	state, err := strconv.ParseUint(string(fields[3]), 16, 8)
	*s = Socket{State: State(state)}
	return err == nil && parseAddr(&s.Local, fields[1]) && parseAddr(&s.Remote, fields[2])
}

// parseAddr reads an address: hexadecimal words in the machine's byte order, a colon,
// the port.
func parseAddr(to *netip.AddrPort, text []byte) bool {
	address, digits, ok := bytes.Cut(text, []byte{':'})
	if !ok || len(address) != 8 && len(address) != 32 {
		return false
	}
	port, err := strconv.ParseUint(string(digits), 16, 16)
	if err != nil {
		return false
	}
	var raw [16]byte
	n, err := hex.Decode(raw[:], address)
	if err != nil {
		return false
	}
	for word := raw[:n]; len(word) > 0; word = word[4:] {
		binary.NativeEndian.PutUint32(word, binary.BigEndian.Uint32(word))
	}
	ip, _ := netip.AddrFromSlice(raw[:n])
	*to = netip.AddrPortFrom(ip.Unmap(), uint16(port))
	return true
}
