package target

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Freezer stops the processes of a cgroup (version 2, Linux 5.2) where they are, and
// lets them go on: they keep their memory and their connections, and take no time.
type Freezer struct {
	Dir string // the cgroup's directory
}

func (f *Freezer) String() string { return "freeze:" + f.Dir }

// Start lets the processes go on.
func (f *Freezer) Start(ctx context.Context) error {
	if err := f.set(ctx, false); err != nil {
		return fmt.Errorf("thaw cgroup: %w", err)
	}
	return nil
}

// Stop freezes the processes.
func (f *Freezer) Stop(ctx context.Context) error {
	if err := f.set(ctx, true); err != nil {
		return fmt.Errorf("freeze cgroup: %w", err)
	}
	return nil
}

func (f *Freezer) file() string { return filepath.Join(f.Dir, "cgroup.freeze") }

// notFreezable adds to an error what may be the reason.
func notFreezable(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w; is that a cgroup of version 2, and not the root?", err)
	}
	return err
}

// set freezes or thaws, and waits until it is so: a process may have to leave a system
// call first.
func (f *Freezer) set(ctx context.Context, frozen bool) error {
	text, want := "0", []byte("frozen 0\n")
	if frozen {
		text, want = "1", []byte("frozen 1\n")
	}
	if err := write(f.file(), text); err != nil {
		return notFreezable(err)
	}
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		events, err := os.ReadFile(filepath.Join(f.Dir, "cgroup.events"))
		if err != nil {
			return err
		}
		if bytes.Contains(events, want) {
			return nil
		}
		select {
		case <-ctx.Done():
			return interrupted(ctx, f.Dir)
		case <-time.After(pause):
		}
	}
}

// write writes to a file that is there.
func write(name, text string) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
