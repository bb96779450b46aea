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
func Main(m *testing.M) { os.Exit(m.Run()) }
