//go:build linux

package enginetest

import (
	"io"
	"os"
	"sync"
)

// unbounded is a pipe that takes everything.
func unbounded() (io.Reader, io.Writer) {
	q := new(queue)
	q.changed = sync.NewCond(&q.mu)
	return q, q
}

type queue struct {
	mu      sync.Mutex
	changed *sync.Cond
	data    []byte
}

func (q *queue) Write(p []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.data = append(q.data, p...)
	q.changed.Signal()
	return len(p), nil
}

func (q *queue) Read(p []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.data) == 0 {
		q.changed.Wait()
	}
	n := copy(p, q.data)
	q.data = q.data[n:]
	return n, nil
}

// files are two ends of a pipe.
type files [2]*os.File

func newPipe() (f files, err error) {
	f[0], f[1], err = os.Pipe()
	return f, err
}

func (f files) close() {
	for _, file := range f {
		file.Close()
	}
}
