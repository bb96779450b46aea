//go:build linux

package enginetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/waggle-bpf/waggle/internal/testkit/stream"
)

// crowds checks many connections.
func crowds(z size) []check {
	return []check{
		{"crowd/100 at once", always, func(r *rig) error { return r.crowd(100) }},
		{"crowd/1000 at once", onlyLong, func(r *rig) error { return r.crowd(1000) }},
		{"crowd/one after the other", always, func(r *rig) error { return r.churn(z.churn) }},
	}
}

// crowd lets n conversations go on at the same time.
func (r *rig) crowd(n int) error {
	rng := rand.New(rand.NewPCG(uint64(n), 11))
	errs := make([]error, n)
	var running sync.WaitGroup
	for i := range n {
		s, err := r.newSession()
		if err != nil {
			running.Wait()
			return err
		}
		sc := stream.Random(rng, 1<<16)
		running.Go(func() {
			defer s.close()
			if err := s.play(&sc, 0); err != nil {
				errs[i] = fmt.Errorf("conversation %d, %+v: %w", i, sc, err)
			}
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

// churn has many short connections, some at a time.
func (r *rig) churn(each int) error {
	const workers = 8
	sessions := make(chan *session, workers)
	errs := make(chan error, workers)
	for range workers {
		go func() {
			var err error
			for s := range sessions {
				sc := script{Client: side{Size: 100, EndAt: stream.AfterEnd}, Server: side{Size: 1000, Start: 100}}
				err = errors.Join(err, s.play(&sc, 0))
				s.close()
			}
			errs <- err
		}()
	}
	var err error
	for range workers * each {
		s, openErr := r.newSession()
		if openErr != nil {
			err = openErr
			break
		}
		sessions <- s
	}
	close(sessions)
	for range workers {
		err = errors.Join(err, <-errs)
	}
	return err
}
