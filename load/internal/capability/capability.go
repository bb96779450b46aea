// Package capability knows which capabilities(7) the calling thread has, of
// those that BPF takes.
package capability

import (
	"bufio"
	"os"
	"strconv"
	"strings"
)

// Cap is a bit number of include/uapi/linux/capability.h.
type Cap uint

// The capabilities that BPF takes.
const (
	NetAdmin Cap = 12
	NetRaw   Cap = 13
	SysAdmin Cap = 21
	Perfmon  Cap = 38
	BPF      Cap = 39
)

var names = map[Cap]string{
	NetAdmin: "CAP_NET_ADMIN",
	NetRaw:   "CAP_NET_RAW",
	SysAdmin: "CAP_SYS_ADMIN",
	Perfmon:  "CAP_PERFMON",
	BPF:      "CAP_BPF",
}

// String is the name in capabilities(7).
func (c Cap) String() string {
	if name, ok := names[c]; ok {
		return name
	}
	return "capability " + strconv.Itoa(int(c))
}

// sysAdminImplies holds the capabilities that CAP_SYS_ADMIN stands for, see
// bpf_capable and perfmon_capable in include/linux/capability.h.
var sysAdminImplies = map[Cap]bool{BPF: true, Perfmon: true}

// Missing returns the first of the needed capabilities that the thread lacks.
// Where there is no procfs to tell, it finds nothing missing.
func Missing(needs ...Cap) (first Cap, missing bool) {
	have, ok := effective()
	if !ok {
		return 0, false
	}
	for _, c := range needs {
		implied := sysAdminImplies[c] && have&(1<<SysAdmin) != 0
		if have&(1<<c) == 0 && !implied {
			return c, true
		}
	}
	return 0, false
}

// effective reads the thread's effective capabilities.
func effective() (set uint64, ok bool) {
	f, err := os.Open("/proc/thread-self/status")
	if err != nil {
		return 0, false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		value, found := strings.CutPrefix(lines.Text(), "CapEff:")
		if !found {
			continue
		}
		set, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		return set, err == nil
	}
	return 0, false
}
