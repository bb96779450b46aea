//go:build linux

package enginetest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/internal/testkit/stream"
)

// pressure checks that a sender is held back when nobody reads what it sends.
func pressure() []check {
	return []check{
		{"pressure/backend does not read", always | waits, func(r *rig) error { return r.hold(engine.Up) }},
		{"pressure/client does not read", always | waits, func(r *rig) error { return r.hold(engine.Down) }},
		{"pressure/neither reads", always | waits, holdBoth},
	}
}

// outer returns the outer connections that send and receive in a direction.
func (s *session) outer(d engine.Direction) (writer, reader *net.TCPConn) {
	if d == engine.Up {
		return s.client, s.server
	}
	return s.server, s.client
}

// content is the stream that fill sends in a direction.
func content(d engine.Direction) stream.Source { return stream.NewSource(uint64(d) + 99) }

// fill sends in a direction until the writer is blocked, and returns how many
// bytes that took. All of them lie in buffers: nobody reads.
func (s *session) fill(d engine.Direction) (int64, error) {
	writer, _ := s.outer(d)
	defer writer.SetWriteDeadline(time.Time{})
	buf := make([]byte, 64<<10)
	var sent int64
	for sent <= s.rig.options.Buffered {
		content(d).Fill(buf, sent)
		if err := writer.SetWriteDeadline(time.Now().Add(s.times.stall)); err != nil {
			return sent, err
		}
		n, err := writer.Write(buf)
		sent += int64(n)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return sent, nil
		case err != nil:
			return sent, fmt.Errorf("fill %v: %w", d, err)
		}
	}
	return sent, fmt.Errorf("%d MiB were taken from the sender though nobody reads", sent>>20)
}

// hold checks one direction: the writer is held, the other direction goes on, and
// when the reader reads at last, everything comes, and the end behind it.
func (r *rig) hold(d engine.Direction) error {
	s, err := r.start()
	if err != nil {
		return err
	}
	defer s.close()
	sent, err := s.fill(d)
	if err != nil {
		return err
	}
	if err := s.pingBack(d); err != nil {
		return fmt.Errorf("the direction that is not blocked: %w", err)
	}
	writer, reader := s.outer(d)
	if err := writer.CloseWrite(); err != nil {
		return err
	}
	if err := s.receive(reader, content(d), sent); err != nil {
		return err
	}
	if err := reader.CloseWrite(); err != nil {
		return err
	}
	if err := s.wait(r.times.soon); err != nil {
		return err
	}
	if moved, want := s.pair.Moved(d), sent+s.settling; moved != uint64(want) {
		return fmt.Errorf("got %d bytes moved, want %d", moved, want)
	}
	return nil
}

// greeting is how many bytes pingBack sends.
const greeting = 4

// pingBack sends against a direction.
func (s *session) pingBack(d engine.Direction) error {
	to, from := s.outer(d)
	if _, err := from.Write(make([]byte, greeting)); err != nil {
		return err
	}
	if err := to.SetReadDeadline(time.Now().Add(s.times.soon)); err != nil {
		return err
	}
	_, err := io.ReadFull(to, make([]byte, greeting))
	return err
}

// receive reads a stream of a known length to its end.
func (s *session) receive(c *net.TCPConn, want stream.Source, size int64) error {
	if err := c.SetReadDeadline(time.Now().Add(s.times.patience)); err != nil {
		return err
	}
	buf := make([]byte, 256<<10)
	var got int64
	for {
		n, err := c.Read(buf)
		if i := want.Differs(buf[:n], got); i >= 0 {
			return fmt.Errorf("byte %d of %d is wrong", got+int64(i), size)
		}
		got += int64(n)
		switch {
		case err == io.EOF && got == size:
			return nil
		case err != nil:
			return fmt.Errorf("got %d bytes of %d: %w", got, size, err)
		}
	}
}

// holdBoth blocks both directions, then reads both.
func holdBoth(r *rig) error {
	s, err := r.start()
	if err != nil {
		return err
	}
	defer s.close()
	var sent [2]int64
	for _, d := range []engine.Direction{engine.Up, engine.Down} {
		if sent[d], err = s.fill(d); err != nil {
			return err
		}
		writer, _ := s.outer(d)
		if err := writer.CloseWrite(); err != nil {
			return err
		}
	}
	var errs [2]error
	var readers sync.WaitGroup
	for d, n := range sent {
		_, reader := s.outer(engine.Direction(d))
		readers.Go(func() { errs[d] = s.receive(reader, content(engine.Direction(d)), n) })
	}
	readers.Wait()
	return errors.Join(errs[0], errs[1], s.wait(r.times.soon))
}

func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
