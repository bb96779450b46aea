//go:build !linux

package backend

import "net/netip"

// beginConnect leaves it to the dialer.
func beginConnect(fd int, to netip.AddrPort) error { return nil }
