// Package release compares the running kernel's version with the one a feature
// came with.
package release

import (
	"fmt"
	"regexp"

	"github.com/cilium/ebpf/features"
)

// requires is how cilium/ebpf's error for a missing feature states the
// version; the error's type is internal to that module.
var requires = regexp.MustCompile(`requires >= v?(\d+\.\d+)`)

// Required is the version that an error of cilium/ebpf says a feature came
// with, "6.4"; empty if it says none.
func Required(err error) string {
	if m := requires.FindStringSubmatch(err.Error()); m != nil {
		return m[1]
	}
	return ""
}

// AtLeast reports whether the running kernel is of that version or newer.
func AtLeast(version string) bool {
	running, err := features.LinuxVersionCode()
	var major, minor uint32
	if _, scanErr := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil || scanErr != nil {
		return false
	}
	return running >= major<<16|minor<<8 // KERNEL_VERSION of linux/version.h
}
