//go:build linux

// Package sockops watches connections by a BPF program on a cgroup.
package sockops

//go:generate go run ../../../cmd/waggle build ./kern --go zkern.go
