package load

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/waggle-bpf/waggle/load/internal/capability"
)

// mapError names the operation and the map. EPERM is no want of rights if the
// process has CAP_BPF: it is also what a frozen map answers to a write.
func mapError(op, name string, err error) error {
	if err == nil {
		return nil
	}
	op += " map " + name
	if first, missing := capability.Missing(capability.BPF); missing && errors.Is(err, syscall.EPERM) {
		return &PrivilegeError{Op: op, Capability: first.String(), Err: err}
	}
	return fmt.Errorf("%s: %w", op, err)
}

// lacksBatch reports whether an error means that the map or the kernel has no
// batch operations. ENOTSUPP is the kernel's internal number, which map types
// without batches let out.
func lacksBatch(err error) bool {
	const enotsupp = syscall.Errno(524)
	return errors.Is(err, ErrNotSupported) || errors.Is(err, syscall.EINVAL) || errors.Is(err, enotsupp)
}

// isTooSmall reports whether a batch had no room for a whole hash bucket.
func isTooSmall(err error) bool { return errors.Is(err, syscall.ENOSPC) }

// isEnd reports whether there is no next key.
func isEnd(err error) bool { return errors.Is(err, ErrNoKey) }
