package accesslog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// Lines wait in buffers of chunkSize bytes, at most chunks of them: 1 MiB,
	// which is about 5000 lines.
	chunkSize = 64 << 10
	chunks    = 16
	// flushAfter is how long a line may wait for others.
	flushAfter = 200 * time.Millisecond
	// closeTimeout is how long Close waits for a file that takes nothing.
	closeTimeout = 2 * time.Second
)

// Config says where a log goes.
type Config struct {
	Path   string // a file that is appended to; "" is Output
	Output io.Writer
	Format Format

	// OnError is told when writing begins to go wrong, once until it goes well
	// again. It may be nil.
	OnError func(error)
}

// Log is an open access log. Its methods may be called from any goroutine; those of a
// nil Log do nothing.
type Log struct {
	config Config
	lost   atomic.Uint64
	timer  *time.Timer
	full   chan *chunk // to be written; has room for all there are
	done   chan struct{}

	mu      sync.Mutex
	current *chunk   // being filled
	free    []*chunk // to be filled
	closed  bool

	outMu   sync.Mutex
	out     io.Writer
	file    *os.File // out, if it is ours
	ended   bool     // the last line is written, and file closed
	broken  bool     // the last write went wrong
	severed bool     // within a line
	told    uint64   // lines lost that the log speaks of
	scratch []byte
}

// chunk is lines on their way to the file.
type chunk struct {
	b     []byte
	lines uint64
}

// Open opens a log.
func Open(c Config) (*Log, error) {
	l := &Log{config: c, out: c.Output, full: make(chan *chunk, chunks), done: make(chan struct{})}
	if c.Path != "" {
		f, err := openFile(c.Path)
		if err != nil {
			return nil, err
		}
		l.out, l.file = f, f
	}
	if l.out == nil {
		return nil, errors.New("open access log: neither a path nor an output")
	}
	for range chunks {
		l.free = append(l.free, new(chunk))
	}
	l.current = l.take()
	l.timer = time.AfterFunc(time.Hour, l.flush)
	l.timer.Stop()
	go l.write()
	return l, nil
}

func openFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return nil, fmt.Errorf("open access log: %w", err)
	}
	return f, nil
}

// lines are formatted outside the mutex, in buffers that are used again.
var lines = sync.Pool{New: func() any { b := make([]byte, 0, 1024); return &b }}

// Write adds a record. It doesn't keep r, and never waits for the file.
func (l *Log) Write(r *Record) {
	if l == nil {
		return
	}
	buf := lines.Get().(*[]byte)
	*buf = l.config.Format.append((*buf)[:0], r)
	if !l.add(*buf) {
		l.lost.Add(1)
	}
	lines.Put(buf)
}

// add puts a line into the current chunk and tells whether there was room.
func (l *Log) add(line []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	if l.current != nil && len(l.current.b)+len(line) > chunkSize {
		l.hand()
	}
	if l.current == nil {
		if l.current = l.take(); l.current == nil {
			return false
		}
	}
	if l.current.lines == 0 {
		l.timer.Reset(flushAfter)
	}
	l.current.b = append(l.current.b, line...)
	l.current.lines++
	return true
}

// take returns an empty chunk, nil if there is none. The mutex is held, as it is for
// hand.
func (l *Log) take() *chunk {
	n := len(l.free)
	if n == 0 {
		return nil
	}
	c := l.free[n-1]
	l.free = l.free[:n-1]
	if c.b == nil {
		c.b = make([]byte, 0, chunkSize)
	}
	return c
}

// hand gives the current chunk to the writer.
func (l *Log) hand() {
	if l.current != nil && l.current.lines > 0 {
		l.full <- l.current
		l.current = nil
	}
}

// flush hands over what there is.
func (l *Log) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.hand()
	}
}

// Lost is the number of lines that were lost since Open.
func (l *Log) Lost() uint64 {
	if l == nil {
		return 0
	}
	return l.lost.Load()
}

// write writes chunks until there are no more.
func (l *Log) write() {
	defer close(l.done)
	for c := range l.full {
		l.outMu.Lock()
		l.writeLines(c.b, c.lines)
		l.reportLost()
		l.outMu.Unlock()
		c.b, c.lines = c.b[:0], 0
		l.mu.Lock()
		l.free = append(l.free, c)
		l.mu.Unlock()
	}
	l.outMu.Lock()
	l.reportLost()
	l.outMu.Unlock()
}

// writeLines writes whole lines. Those that can't be written are lost.
func (l *Log) writeLines(b []byte, n uint64) {
	if l.severed {
		// What is left of a line must not get a new one's beginning for an end.
		if _, err := l.out.Write([]byte("\n")); err == nil {
			l.severed = false
		}
	}
	written, err := l.out.Write(b)
	if err == nil {
		l.broken = false
		return
	}
	whole := bytes.Count(b[:written], []byte("\n"))
	l.severed = l.severed || written > 0 && b[written-1] != '\n'
	l.lost.Add(n - uint64(whole))
	if !l.broken && l.config.OnError != nil {
		l.config.OnError(fmt.Errorf("write access log: %w", err))
	}
	l.broken = true
}

// reportLost adds a line about those that are missing, if there are any that it has not
// spoken of.
func (l *Log) reportLost() {
	lost := l.lost.Load()
	if lost == l.told || l.broken {
		return
	}
	l.scratch = l.config.Format.appendLost(l.scratch[:0], time.Now(), lost-l.told)
	l.writeLines(l.scratch, 0)
	if !l.broken {
		l.told = lost
	}
}

// Reopen opens the file again by its name, for logs that are rotated. If that goes
// wrong, lines go on to the old file. A log without a path stays as it is.
func (l *Log) Reopen() error {
	if l == nil || l.config.Path == "" {
		return nil
	}
	f, err := openFile(l.config.Path)
	if err != nil {
		return err
	}
	l.outMu.Lock()
	defer l.outMu.Unlock()
	if l.ended {
		return f.Close()
	}
	old := l.file
	l.out, l.file = f, f
	l.broken, l.severed = false, false
	return old.Close()
}

// Close writes what is left and closes the file. Records that come later are lost.
func (l *Log) Close() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.timer.Stop()
	l.hand()
	l.closed = true
	close(l.full)
	l.mu.Unlock()
	select {
	case <-l.done:
	case <-time.After(closeTimeout):
		return fmt.Errorf("close access log: it takes nothing since %v", closeTimeout)
	}
	l.outMu.Lock()
	defer l.outMu.Unlock()
	l.ended = true
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}
