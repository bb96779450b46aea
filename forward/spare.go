package forward

import (
	"os"
	"sync"
)

// spare is a file descriptor kept for the time when there are no others: with it, a
// client can still be accepted, in order to be refused. Without it the client would
// wait, and accept would report it again and again.
type spare struct {
	mu   sync.Mutex
	file *os.File
}

func (s *spare) open() (err error) {
	s.file, err = os.Open(os.DevNull)
	return err
}

// lend frees the descriptor while f runs and returns what f does. Somebody else may
// be quicker to use it; then f has to be asked again, later.
func (s *spare) lend(f func() bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil {
		_ = s.file.Close()
	}
	done := f()
	if err := s.open(); err != nil {
		s.file = nil
	}
	return done
}

func (s *spare) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil {
		_ = s.file.Close()
		s.file = nil
	}
}
