//go:build !linux

package testkit

import (
	"errors"
	"os"
	"os/exec"
	"testing"
)

func kernelRelease() (string, error) { return "", errors.ErrUnsupported }

func lookPath(name string) (string, error) { return exec.LookPath(name) }

// Main runs the tests of a package. See the Linux version.
func Main(m *testing.M) { os.Exit(Run(m)) }

// Run is Main for those who have to do something after it.
func Run(m *testing.M) int { return m.Run() }
