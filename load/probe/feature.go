package probe

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/cilium/ebpf"

	"github.com/waggle-bpf/waggle/load/internal/release"
)

// Group is a kind of feature.
type Group string

// The groups, in the order of All.
const (
	Rights   Group = "rights"   // capabilities of the process
	Kernel   Group = "kernel"   // the verifier, the compiler, type information
	Mounts   Group = "mounts"   // file systems
	Attach   Group = "attach"   // ways to attach programs
	Programs Group = "programs" // program types
	Maps     Group = "maps"     // map types
)

// Feature is one thing that may be missing.
type Feature struct {
	Group Group
	Name  string // "tcx", "program type XDP", "CAP_BPF"
	OK    bool
	// Reason says why it is missing, as a clause. Empty if it is not.
	Reason string
	// MinKernel is the first kernel version with it, "6.6". Empty if unknown.
	MinKernel string
	// Use says what it is for, as a clause.
	Use string
	// Where is the path of what is mounted.
	Where string
}

// All looks at everything.
func All() []Feature {
	var all []Feature
	for _, list := range []func() []Feature{rights, kernel, mounts, attach, programTypes, mapTypes} {
		all = append(all, list()...)
	}
	return all
}

// test is a row of a table of features.
type test struct {
	name, minKernel, use string
	run                  func() error
}

func runAll(g Group, tests []test) []Feature {
	list := make([]Feature, 0, len(tests))
	for _, t := range tests {
		list = append(list, t.feature(g))
	}
	return list
}

func (t *test) feature(g Group) Feature {
	f := Feature{Group: g, Name: t.name, OK: true, MinKernel: t.minKernel, Use: t.use}
	if err := t.run(); err != nil {
		f.OK = false
		f.Reason, f.MinKernel = reasonOf(err, t.minKernel)
	}
	return f
}

// missing is a cause in our own words.
type missing string

func (m missing) Error() string { return string(m) }

// reasonOf makes a clause of an error, and learns the version from it.
func reasonOf(err error, minKernel string) (reason, version string) {
	if minKernel == "" {
		minKernel = release.Required(err)
	}
	var own missing
	switch {
	case errors.As(err, &own):
		return string(own), minKernel
	case errors.Is(err, ebpf.ErrNotSupported) && release.AtLeast(minKernel):
		return "this kernel was built without it", minKernel
	case errors.Is(err, ebpf.ErrNotSupported) && minKernel != "":
		return fmt.Sprintf("this kernel has not got it, Linux %s has", minKernel), minKernel
	case errors.Is(err, ebpf.ErrNotSupported):
		return "this kernel has not got it", minKernel
	case errors.Is(err, syscall.EPERM), errors.Is(err, fs.ErrPermission):
		return "not permitted", minKernel
	}
	return err.Error(), minKernel
}
