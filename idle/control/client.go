package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/waggle-bpf/waggle/internal/controlsock"
)

// ErrNone is that no waggle idle runs, or none that has its socket there.
var ErrNone = errors.New("no waggle idle runs")

// Why asks the process behind the socket at path what it is waiting for.
func Why(path string) (*Report, error) {
	a, err := ask(path, &request{Do: "why"})
	if err != nil {
		return nil, err
	}
	if a.Report == nil {
		return nil, errors.New("ask why: no answer")
	}
	return a.Report, nil
}

// NewHold keeps the service up for a time.
func NewHold(path, reason string, ttl time.Duration) (Hold, error) {
	if err := checkHold(reason, ttl); err != nil {
		return Hold{}, err
	}
	a, err := ask(path, &request{Do: "hold", Reason: reason, TTL: ttl})
	if err != nil {
		return Hold{}, err
	}
	if a.Hold == nil {
		return Hold{}, errors.New("hold: no answer")
	}
	return *a.Hold, nil
}

// Release ends a hold.
func Release(path string, id int) error {
	_, err := ask(path, &request{Do: "release", ID: id})
	return err
}

func ask(path string, r *request) (*response, error) {
	c, err := controlsock.Dial(path)
	if err != nil {
		if controlsock.Abandoned(err) {
			return nil, fmt.Errorf("open control socket %s: %w", path, ErrNone)
		}
		return nil, fmt.Errorf("open control socket %s: %w", path, err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	var a response
	if err = controlsock.Send(c, r); err == nil {
		err = json.NewDecoder(c).Decode(&a)
	}
	if err != nil {
		return nil, fmt.Errorf("ask waggle idle for %s: %w", r.Do, err)
	}
	if a.Error != "" {
		return nil, errors.New(a.Error)
	}
	return &a, nil
}
