package packet

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// owner names an engine that has pairs, for good.
type owner uint64

// nobody owns what is free.
const nobody owner = 0

// owners tells which owners live. Each holds a lock of the directory with the pins, of
// the byte whose number is its own: wherever the pins are seen the locks are too, which
// is not so with process numbers, and the kernel lets go of them when a process ends.
type owners struct {
	me  owner
	dir *os.File // nil: nobody else sees what is ours
}

// openOwners makes a new owner. Without a directory it is the only one.
func openOwners(dir string) (*owners, error) {
	var number [8]byte
	_, _ = rand.Read(number[:]) // never fails
	// Positive as an offset, and not nobody.
	o := &owners{me: owner(binary.NativeEndian.Uint64(number[:])>>1 | 1)}
	if dir == "" {
		return o, nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("open directory of pins: %w", err)
	}
	// A directory is never open for writing, which a lock for one alone would need.
	lock := byteLock(o.me, unix.F_RDLCK)
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &lock); err != nil {
		return nil, errors.Join(fmt.Errorf("lock directory of pins: %w", err), f.Close())
	}
	o.dir = f
	return o, nil
}

func byteLock(o owner, kind int16) unix.Flock_t {
	return unix.Flock_t{Type: kind, Start: int64(o), Len: 1}
}

// lives reports whether an owner still has its pairs. When in doubt it has.
func (o *owners) lives(other owner) bool {
	if o.dir == nil || other == o.me {
		return true
	}
	lock := byteLock(other, unix.F_WRLCK) // would it be possible?
	err := unix.FcntlFlock(o.dir.Fd(), unix.F_OFD_GETLK, &lock)
	return err != nil || lock.Type != unix.F_UNLCK
}

// close leaves what is owned to others.
func (o *owners) close() error {
	if o == nil || o.dir == nil {
		return nil
	}
	return o.dir.Close()
}
