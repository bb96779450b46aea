package sockmap

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/forward/engine"
)

// floors are the first kernels without bugs that can't be tested for, because they
// are rare or take the machine down: data sent twice after a part of it was (fixed
// by "bpf, sockmap: Fix duplicated data transmission"), and a use after free when a
// socket is closed while data is sent on it (CVE-2025-38154). A stable series is
// good from its own floor on, what is newer than all of them is good.
var floors = [][3]int{{6, 6, 94}, {6, 12, 34}, {6, 16, 0}}

func checkKernel() error {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return err
	}
	release := unix.ByteSliceToString(u.Release[:])
	v, err := parseRelease(release)
	if err != nil {
		return err
	}
	if !goodKernel(v) {
		return engine.Refuse("kernel too old", fmt.Errorf("socket maps of Linux %s have bugs; use 6.16 or later, 6.12.34 or 6.6.94", release))
	}
	return nil
}

// parseRelease reads the version of a release such as 6.12.85-1-amd64 or 7.0-rc1.
func parseRelease(release string) (v [3]int, err error) {
	end := strings.IndexFunc(release, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	if end < 0 {
		end = len(release)
	}
	if n, _ := fmt.Sscanf(release[:end], "%d.%d.%d", &v[0], &v[1], &v[2]); n < 2 {
		return v, fmt.Errorf("read kernel's version: what is %q?", release)
	}
	return v, nil
}

func goodKernel(v [3]int) bool {
	for _, floor := range floors {
		if v[0] == floor[0] && v[1] == floor[1] {
			return v[2] >= floor[2]
		}
	}
	newest := floors[len(floors)-1]
	return slices.Compare(v[:], newest[:]) >= 0
}
