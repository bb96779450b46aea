package stream

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// Conn is what a script is played on: a TCP connection.
type Conn interface {
	net.Conn
	CloseWrite() error
	SetLinger(seconds int) error
}

// Outcome is what happened at one end.
type Outcome struct {
	// Sent and Received count the bytes that the connection took and gave.
	Sent, Received int64
	// Wrong is the first byte that was not the one sent; nothing is read after
	// the call that brought it.
	Wrong *Difference
	// Saw is how the other's stream ended, SawAt when.
	Saw   End
	SawAt time.Time
	// Reset is when this end reset the connection, zero if it did not.
	Reset time.Time
	// Err is what else ended reading or writing: a time-out, for example.
	Err error
}

// player is one end of a conversation.
type player struct {
	conn Conn
	side Side
	out  Source
	in   expected
	outcome
	rng [2]*rand.Rand // of the reader and of the writer
}

// outcome is what the reader and the writer tell each other.
type outcome struct {
	mu      sync.Mutex
	changed *sync.Cond
	over    bool // nothing more will be read
	Outcome
}

// PlayClient plays the client's part until both streams have ended or the
// deadline is reached. It leaves the connection open, except for resets.
func (s *Script) PlayClient(c Conn, deadline time.Time) *Outcome { return s.play(0, c, deadline) }

// PlayServer plays the server's part, as PlayClient does the client's.
func (s *Script) PlayServer(c Conn, deadline time.Time) *Outcome { return s.play(1, c, deadline) }

func (s *Script) play(i int, c Conn, deadline time.Time) *Outcome {
	p := &player{
		conn: c,
		side: *s.side(i),
		out:  s.source(i),
		in:   expected{Source: s.source(1 - i), size: s.side(1 - i).Size},
	}
	if i == 1 {
		p.in.prefix = s.Prefix
	}
	for n := range p.rng {
		p.rng[n] = rand.New(rand.NewPCG(s.Seed, uint64(2*i+n)))
	}
	p.changed = sync.NewCond(&p.mu)
	p.Saw = None
	if err := c.SetDeadline(deadline); err != nil {
		p.Err = err
		return &p.Outcome
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.read()
	}()
	p.write()
	<-done
	return &p.Outcome
}

func (s *Script) side(i int) *Side { return [...]*Side{&s.Client, &s.Server}[i] }

func (s *Script) source(i int) Source { return NewSource(2*s.Seed + uint64(i)) }

// Run plays a script on both ends of a connection and judges it.
func (s *Script) Run(client, server Conn, timeout time.Duration) error {
	if err := s.Check(); err != nil {
		return err
	}
	deadline := time.Now().Add(timeout)
	served := make(chan *Outcome, 1)
	go func() { served <- s.PlayServer(server, deadline) }()
	outcome := s.PlayClient(client, deadline)
	return s.Judge(outcome, <-served)
}

func (p *player) write() {
	_, largest := p.side.Write.limits()
	buf := make([]byte, min(int64(largest), p.side.Size))
	rng := p.rng[1]
	if !p.await(p.side.Start) {
		return
	}
	for call := 0; p.Sent < p.side.Size; call++ {
		p.side.Write.wait(rng, call)
		part := buf[:min(int64(p.side.Write.chunk(rng)), p.side.Size-p.Sent)]
		p.out.Fill(part, p.Sent)
		n, err := p.conn.Write(part)
		p.Sent += int64(n)
		if err != nil {
			p.fail(err)
			return
		}
	}
	if p.await(p.side.EndAt) {
		p.fail(p.end())
	}
}

// await waits for a moment and tells whether it has come.
func (p *player) await(w When) bool {
	if w == AtOnce {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.over && (w == AfterEnd || p.Received < int64(w)) {
		p.changed.Wait()
	}
	if w == AfterEnd {
		return p.Saw == FIN
	}
	return p.Received >= int64(w)
}

func (p *player) end() error {
	if p.side.End == FIN {
		return p.conn.CloseWrite()
	}
	if err := p.conn.SetLinger(0); err != nil {
		return err
	}
	p.mu.Lock()
	p.Reset = time.Now()
	p.mu.Unlock()
	return p.conn.Close()
}

func (p *player) read() {
	_, largest := p.side.Read.limits()
	buf := make([]byte, largest)
	for call := 0; ; call++ {
		p.side.Read.wait(p.rng[0], call)
		n, err := p.conn.Read(buf[:p.side.Read.chunk(p.rng[0])])
		if !p.took(buf[:n], err) {
			return
		}
	}
}

// took notes what a read brought and tells whether to go on.
func (p *player) took(b []byte, err error) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.changed.Broadcast()
	if p.Wrong = p.in.compare(b, p.Received); p.Wrong != nil {
		p.over = true
		p.abandon()
	}
	p.Received += int64(len(b))
	if err != nil {
		p.over = true
		p.ended(err)
	}
	return !p.over
}

// abandon ends a conversation that has gone wrong, for the other end, too.
func (p *player) abandon() {
	_ = p.conn.SetLinger(0)
	_ = p.conn.Close()
}

// ended notes how reading ended. After a reset of its own it says nothing.
func (p *player) ended(err error) {
	switch {
	case !p.Reset.IsZero() || p.Saw == RST:
		return
	case err == io.EOF:
		p.Saw = FIN
	case errors.Is(err, syscall.ECONNRESET):
		p.Saw = RST
	default:
		p.Err = errors.Join(p.Err, err)
		return
	}
	p.SawAt = time.Now()
}

// fail notes why writing ended. The kernel tells of a reset once: if it told the
// writer, the reader sees a clean end.
func (p *player) fail(err error) {
	if err == nil || errors.Is(err, syscall.EPIPE) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case errors.Is(err, syscall.ECONNRESET):
		p.Saw = RST
		if p.SawAt.IsZero() {
			p.SawAt = time.Now()
		}
	case p.Wrong != nil || p.Err != nil && errors.Is(err, os.ErrDeadlineExceeded):
		// The reader has said why.
	default:
		p.Err = errors.Join(p.Err, err)
	}
}
