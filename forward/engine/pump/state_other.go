//go:build !linux

package pump

import "syscall"

// isClosed would tell whether a connection is over; this system's way to ask is not
// known here.
func isClosed(syscall.RawConn) bool { return false }
