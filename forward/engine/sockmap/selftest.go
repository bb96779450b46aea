package sockmap

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/waggle-bpf/waggle/forward/engine"
)

// testTime is how long the self-test may take.
const testTime = 5 * time.Second

// test forwards a conversation over loopback: words that come before the pair is in
// the map, an answer, more that the program must redirect, and both ends.
func (e *Engine) test() error {
	var ends [4]*net.TCPConn // client, the pair's two, backend
	defer func() {
		for _, c := range ends {
			if c != nil {
				c.Close()
			}
		}
	}()
	for i := range 2 {
		if err := connect(&ends[2*i], &ends[2*i+1]); err != nil {
			return err
		}
	}
	client, backend := ends[0], ends[3]
	p := engine.NewPair(ends[1], ends[2])
	defer p.Abort(engine.Shutdown)
	if _, err := io.WriteString(client, "early"); err != nil {
		return err
	}
	result := make(chan engine.End, 1)
	go func() { result <- e.Forward(p) }()

	conversation := []line{
		{client, backend, "early", false},
		{backend, client, "answer", false},
		{client, backend, "question", false},
		{backend, client, "reply", true},
		{client, backend, "bye", true},
	}
	for i, l := range conversation {
		if err := l.play(i > 0); err != nil {
			return err
		}
	}
	select {
	case end := <-result:
		return e.checkTest(p, end)
	case <-time.After(testTime):
		return errors.New("the pair does not end")
	}
}

// checkTest looks at how the conversation has gone.
func (e *Engine) checkTest(p *engine.Pair, end engine.End) error {
	switch up, down := p.Moved(engine.Up), p.Moved(engine.Down); {
	case end.Err != nil:
		return end.Err
	case end.Cause != engine.BackendClosed:
		return fmt.Errorf("ended as %q, not %q", end.Cause, engine.BackendClosed)
	case up != uint64(len("earlyquestionbye")) || down != uint64(len("answerreply")):
		return fmt.Errorf("counted %d bytes up, %d down", up, down)
	case e.redirected.Load() == 0:
		return errors.New("the kernel has redirected nothing")
	}
	e.enrolled.Store(0)
	e.redirected.Store(0)
	e.copied.Store(0)
	return nil
}

// line is something that is said, and the end of the stream behind it if it is the
// speaker's last.
type line struct {
	from, to *net.TCPConn
	text     string
	last     bool
}

// play says a line, if that has not been done, and hears it at the other side.
func (l *line) play(say bool) error {
	if say {
		if _, err := io.WriteString(l.from, l.text); err != nil {
			return err
		}
	}
	if l.last {
		if err := l.from.CloseWrite(); err != nil {
			return err
		}
	}
	if err := l.to.SetReadDeadline(time.Now().Add(testTime)); err != nil {
		return err
	}
	heard := make([]byte, len(l.text))
	if _, err := io.ReadFull(l.to, heard); err != nil {
		return fmt.Errorf("hear %q: %w", l.text, err)
	}
	if string(heard) != l.text {
		return fmt.Errorf("heard %q instead of %q", heard, l.text)
	}
	if !l.last {
		return nil
	}
	if n, err := l.to.Read(heard[:1]); err != io.EOF {
		return fmt.Errorf("hear the end: got %d bytes, %v", n, err)
	}
	return nil
}

// connect makes a connection over loopback.
func connect(dialed, accepted **net.TCPConn) error {
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return err
	}
	defer l.Close()
	if err := l.SetDeadline(time.Now().Add(testTime)); err != nil {
		return err
	}
	if *dialed, err = net.DialTCP("tcp", nil, l.Addr().(*net.TCPAddr)); err != nil {
		return err
	}
	*accepted, err = l.AcceptTCP()
	return err
}
