package bpf

import "strconv"

// Errno is what most helpers return: 0, or a negative error number of the
// kernel (include/uapi/asm-generic/errno-base.h and errno.h).
type Errno int32

// The errors that helpers document.
const (
	OK           Errno = 0
	EPERM        Errno = -1   // not permitted here
	ENOENT       Errno = -2   // no such entry
	EIO          Errno = -5   // input or output error
	E2BIG        Errno = -7   // too big: a map is full
	EAGAIN       Errno = -11  // try again: the buffer is full
	ENOMEM       Errno = -12  // out of memory
	EACCES       Errno = -13  // access denied
	EFAULT       Errno = -14  // bad address
	EBUSY        Errno = -16  // in use
	EEXIST       Errno = -17  // the entry exists
	ENODEV       Errno = -19  // no such device
	EINVAL       Errno = -22  // invalid argument
	ENOSPC       Errno = -28  // no space left
	ERANGE       Errno = -34  // out of range
	EDEADLK      Errno = -35  // would deadlock
	ENAMETOOLONG Errno = -36  // string too long
	EPROTO       Errno = -71  // protocol error
	EOPNOTSUPP   Errno = -95  // not supported
	EADDRINUSE   Errno = -98  // address in use
	ENOTCONN     Errno = -107 // not connected
	ENOTSUPP     Errno = -524 // not supported; the kernel's internal number
)

// Ok reports whether the call succeeded.
func (e Errno) Ok() bool { return e >= 0 }

var errnoNames = map[Errno]string{
	EPERM: "EPERM", ENOENT: "ENOENT", EIO: "EIO", E2BIG: "E2BIG", EAGAIN: "EAGAIN",
	ENOMEM: "ENOMEM", EACCES: "EACCES", EFAULT: "EFAULT", EBUSY: "EBUSY", EEXIST: "EEXIST",
	ENODEV: "ENODEV", EINVAL: "EINVAL", ENOSPC: "ENOSPC", ERANGE: "ERANGE", EDEADLK: "EDEADLK",
	ENAMETOOLONG: "ENAMETOOLONG", EPROTO: "EPROTO", EOPNOTSUPP: "EOPNOTSUPP",
	EADDRINUSE: "EADDRINUSE", ENOTCONN: "ENOTCONN", ENOTSUPP: "ENOTSUPP",
}

// String names the error. It exists outside the kernel only.
func (e Errno) String() string {
	if e.Ok() {
		return "OK"
	}
	if s, ok := errnoNames[e]; ok {
		return s
	}
	return "errno " + strconv.Itoa(int(-e))
}
