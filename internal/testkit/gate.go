package testkit

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
)

// CI tells whether a skip has to be justified: the environment variable
// WAGGLE_CI is 1. The machine then has root and every tool, and a feature may
// only be missing for a reason this package can check.
func CI() bool { return os.Getenv("WAGGLE_CI") == "1" }

// Long tells whether tests may take minutes: the environment variable WAGGLE_LONG
// is 1. Only people ask for that, before a release or after a change of what the
// long tests are about.
func Long() bool { return os.Getenv("WAGGLE_LONG") == "1" }

// Absence is a checked reason why this kernel lacks a feature although it is new
// enough: its build configuration.
type Absence struct {
	// Reason is a clause for the skip message: "built without kprobes".
	Reason string
	// Absent looks whether that is so.
	Absent func() bool
}

// NoKprobes explains a missing kprobe or kretprobe: CONFIG_KPROBES is off.
var NoKprobes = Absence{"kernel built without kprobes", func() bool {
	_, err := os.Stat("/sys/bus/event_source/devices/kprobe")
	return errors.Is(err, os.ErrNotExist)
}}

// NoFtraceDirectCalls explains missing fentry, fexit and LSM programs: the
// kernel's function tracer is not there to attach them with.
var NoFtraceDirectCalls = Absence{"kernel built without CONFIG_FUNCTION_TRACER", func() bool {
	_, err := os.Stat("/sys/kernel/tracing/available_filter_functions")
	return errors.Is(err, os.ErrNotExist)
}}

// Need stops the test unless err is nil. It skips if err says, as
// ebpf.ErrNotSupported does, that the kernel lacks a feature, and fails for every
// other error. In CI it also fails if the kernel should have the feature: if it
// is no older than err's required version and none of the absences holds.
func Need(t testing.TB, err error, absences ...Absence) {
	t.Helper()
	if err == nil {
		return
	}
	if !errors.Is(err, ebpf.ErrNotSupported) {
		t.Fatal(err)
	}
	for _, a := range absences {
		if a.Absent() {
			t.Skipf("%v (%s)", err, a.Reason)
		}
	}
	if CI() && !olderThan(requiredVersion(err)) {
		t.Fatalf("%v, but kernel %s should have it", err, KernelVersion())
	}
	t.Skip(err)
}

// NeedKernel skips the test on kernels older than version, "6.6", for the sake
// of what.
func NeedKernel(t testing.TB, version, what string) {
	t.Helper()
	v, err := parseVersion(version)
	if err != nil {
		t.Fatal(err)
	}
	if olderThan(v) {
		t.Skipf("%s needs kernel %s, this is %s", what, version, KernelVersion())
	}
}

// RequireRoot skips the test without root; in CI it fails.
func RequireRoot(t testing.TB) {
	t.Helper()
	switch {
	case os.Geteuid() == 0:
	case CI():
		t.Fatal("needs root, which CI has to have")
	default:
		t.Skip("needs root")
	}
}

// RequireTool returns the path of a program. It skips the test if it is not
// installed; in CI it fails.
func RequireTool(t testing.TB, name string) string {
	t.Helper()
	path, err := lookPath(name)
	switch {
	case err == nil:
	case CI() && !InVM():
		t.Fatalf("needs %s; make setup installs it", name)
	default:
		t.Skipf("needs %s", name)
	}
	return path
}

// InVM tells whether this is a machine started by package vm, which has no
// programs but the test binary.
func InVM() bool { return os.Getenv("WAGGLE_VM") == "1" }

// version is a kernel's major and minor number; zero means unknown.
type version [2]int

func (v version) String() string { return fmt.Sprintf("%d.%d", v[0], v[1]) }

// KernelVersion is the running kernel's version, "6.1"; "0.0" where there is none.
func KernelVersion() string { return running().String() }

func running() version {
	release, err := kernelRelease()
	if err != nil {
		return version{}
	}
	v, err := parseVersion(release)
	if err != nil {
		return version{}
	}
	return v
}

// olderThan tells whether the running kernel is older than a known version.
func olderThan(v version) bool {
	r := running()
	return r[0] < v[0] || r[0] == v[0] && r[1] < v[1]
}

// requires is how the errors for a missing feature state the version. Text, not
// types: that of cilium/ebpf is internal to its module, and load's own tests use
// this package.
var requires = regexp.MustCompile(`(?:requires >= v?|Linux )(\d+\.\d+)`)

func requiredVersion(err error) version {
	m := requires.FindStringSubmatch(err.Error())
	if m == nil {
		return version{}
	}
	v, parseErr := parseVersion(m[1])
	if parseErr != nil {
		panic("BUG: " + parseErr.Error())
	}
	return v
}

func parseVersion(s string) (v version, err error) {
	parts := strings.SplitN(s, ".", 3)
	if len(parts) < 2 {
		return v, fmt.Errorf("parse kernel version %q: no minor number", s)
	}
	for i := range v {
		digits := parts[i]
		if n := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' }); n >= 0 {
			digits = digits[:n]
		}
		if v[i], err = strconv.Atoi(digits); err != nil {
			return v, fmt.Errorf("parse kernel version %q: %w", s, err)
		}
	}
	return v, nil
}
