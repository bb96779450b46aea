//go:build !linux

package backend

import (
	"errors"
	"net/netip"
)

var errLinuxOnly = errors.New("needs Linux")

func linuxOnly(int, netip.AddrPort) error { return errLinuxOnly }

// Mark needs Linux.
func Mark(uint32) Control { return linuxOnly }

// MaxSegment needs Linux.
func MaxSegment(int) Control { return linuxOnly }

// Device needs Linux.
func Device(string) Control { return linuxOnly }

// From needs Linux.
func From(netip.Addr) Control { return linuxOnly }
