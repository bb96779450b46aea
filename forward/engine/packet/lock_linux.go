package packet

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// lockDir is where the lock files are: a BPF file system can't hold any.
const lockDir = "/run/waggle"

// locks order what processes do that share pins: setup is held by the one that makes
// or removes them, use by all that need them.
type locks struct{ setup, use *os.File }

// openLocks opens the locks for a directory of pins and takes use.
func openLocks(dir string) (l *locks, err error) {
	if err := os.MkdirAll(lockDir, 0o700); err != nil {
		return nil, fmt.Errorf("make directory for locks: %w", err)
	}
	name := filepath.Join(lockDir, filepath.Base(filepath.Dir(dir))+"-"+filepath.Base(dir))
	l = &locks{}
	if l.setup, err = openLocked(name+".setup", unix.LOCK_EX); err != nil {
		return nil, err
	}
	// Nobody has use for himself alone but who has setup.
	if l.use, err = openLocked(name+".use", unix.LOCK_SH); err != nil {
		return nil, errors.Join(err, l.setup.Close())
	}
	return l, nil
}

// openLocked opens a file, or makes it, and locks it. The last one who has needed a lock
// removes its file: who has waited for a lock of a file that is gone tries again.
func openLocked(name string, how int) (*os.File, error) {
	for {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, fmt.Errorf("open lock: %w", err)
		}
		if err := flock(f, how); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		mine, err := f.Stat()
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open lock: %w", err), f.Close())
		}
		if there, err := os.Stat(name); err == nil && os.SameFile(there, mine) {
			return f, nil
		}
		_ = f.Close()
	}
}

// ready gives setup back.
func (l *locks) ready() error { return flock(l.setup, unix.LOCK_UN) }

// alone takes setup and reports whether no other process uses the pins.
func (l *locks) alone() (bool, error) {
	if err := flock(l.setup, unix.LOCK_EX); err != nil {
		return false, err
	}
	err := flock(l.use, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

// remove removes the files, after alone has said that nobody else uses the pins.
func (l *locks) remove() {
	_ = os.Remove(l.use.Name())
	_ = os.Remove(l.setup.Name())
}

// close gives back what is held.
func (l *locks) close() error { return errors.Join(l.setup.Close(), l.use.Close()) }

func flock(f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		return nil
	}
}
