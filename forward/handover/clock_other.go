//go:build !linux

package handover

// Reloading says that the service loads its configuration; Ready follows.
func Reloading() string { return "RELOADING=1" }
