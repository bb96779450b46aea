//go:build !linux

package forward

import "errors"

// Flush finds nothing: connections go on without a forwarder on Linux only.
func Flush() (int, error) {
	return 0, errors.New("flush connections: only Linux has connections that go on without a forwarder")
}
