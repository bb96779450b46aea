//go:build !linux

package tc

import "github.com/cilium/ebpf"

// Filter cannot be made here.
type Filter struct{}

// Attach fails.
func Attach(Options) (*Filter, error) { return nil, ebpf.ErrNotSupported }

// Replace fails.
func (*Filter) Replace(fd int) error { return ebpf.ErrNotSupported }

// Close does nothing.
func (*Filter) Close() error { return nil }

// RemoveStale finds nothing.
func RemoveStale(index int) (int, error) { return 0, nil }
