package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/waggle-bpf/waggle/internal/controlsock"
)

// ErrNone is that no waggle wake runs, or none that has its socket there.
var ErrNone = errors.New("no waggle wake runs")

// Ask asks the process behind the socket at path what it does.
func Ask(path string) (*Report, error) {
	c, err := controlsock.Dial(path)
	if err != nil {
		if controlsock.Abandoned(err) {
			err = ErrNone
		}
		return nil, fmt.Errorf("open control socket %s: %w", path, err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	var a response
	if err = controlsock.Send(c, &request{Do: "report"}); err == nil {
		err = json.NewDecoder(c).Decode(&a)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("ask waggle wake at %s: %w", path, err)
	case a.Error != "":
		return nil, errors.New(a.Error)
	case a.Report == nil:
		return nil, fmt.Errorf("ask waggle wake at %s: no answer", path)
	}
	return a.Report, nil
}

// AskAll asks all of this user that have their sockets in the usual place, in the order
// in which they were started. Those that can't be asked are in the error.
func AskAll() ([]*Report, error) { return askAll(controlsock.DefaultDir()) }

func askAll(dir string) ([]*Report, error) {
	var list []*Report
	var errs []error
	for _, path := range sockets(dir) {
		r, err := Ask(path)
		switch {
		case err == nil:
			list = append(list, r)
		case !errors.Is(err, ErrNone): // who was killed leaves the socket
			errs = append(errs, err)
		}
	}
	if list == nil && errs == nil {
		return nil, fmt.Errorf("look for control sockets in %s: %w", dir, ErrNone)
	}
	slices.SortStableFunc(list, func(a, b *Report) int { return a.Started.Compare(b.Started) })
	return list, errors.Join(errs...)
}
