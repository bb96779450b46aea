package cli

import (
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/cilium/ebpf"

	"github.com/waggle-bpf/waggle/load"
)

// checkPlaces finds interfaces and processes that don't exist.
func (c *loadCmd) checkPlaces() error {
	c.Interface = distinct(c.Interface)
	for _, name := range c.Interface {
		if _, err := net.InterfaceByName(name); err != nil {
			return badInputf("find interface %s: there is none of that name", name)
		}
	}
	if c.PID != 0 && !processExists(c.PID) {
		return badInputf("find process %d: there is none of that number", c.PID)
	}
	return nil
}

// distinct leaves out what was named before.
func distinct(names []string) []string {
	var list []string
	for _, name := range names {
		if !slices.Contains(list, name) {
			list = append(list, name)
		}
	}
	return list
}

func processExists(pid int) bool {
	if pid < 0 {
		return false
	}
	p, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	defer p.Release()
	return !errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone)
}

// Program types that are attached to something the user has to name.
var (
	onInterface = []ebpf.ProgramType{ebpf.XDP, ebpf.SchedCLS, ebpf.SocketFilter}
	onCgroup    = []ebpf.ProgramType{ebpf.CGroupSKB, ebpf.CGroupSock, ebpf.CGroupSockAddr, ebpf.CGroupSockopt,
		ebpf.CGroupSysctl, ebpf.CGroupDevice, ebpf.SockOps}
	onSockets = []ebpf.ProgramType{ebpf.SkMsg, ebpf.SkSKB}
	socketMap = []ebpf.MapType{ebpf.SockMap, ebpf.SockHash}
)

// places says what programs are attached to, and by which flag it is named.
var places = []struct {
	what, flag string
	// unknown tells whether neither the program's section nor a flag names it.
	unknown func(*loadCmd, *load.Object, load.Program) bool
}{
	{"a network interface", "-i", func(c *loadCmd, _ *load.Object, p load.Program) bool {
		return len(c.Interface) == 0 && slices.Contains(onInterface, p.Type)
	}},
	{"a control group", "--cgroup", func(c *loadCmd, _ *load.Object, p load.Program) bool {
		return c.Cgroup == "" && slices.Contains(onCgroup, p.Type)
	}},
	{"one of the object's sockmaps and sockhashes", "--map", func(c *loadCmd, obj *load.Object, p load.Program) bool {
		return c.Map == "" && slices.Contains(onSockets, p.Type) && socketMaps(obj) > 1
	}},
	{"a program or library", "-e", func(c *loadCmd, _ *load.Object, p load.Program) bool {
		path, _ := userSymbol(p)
		return c.Executable == "" && isUprobe(p) && path == ""
	}},
	{"a function", "--symbol", func(c *loadCmd, _ *load.Object, p load.Program) bool {
		_, symbol := userSymbol(p)
		return c.Symbol == "" && isUprobe(p) && symbol == ""
	}},
	{"a kernel function", "--symbol", func(c *loadCmd, _ *load.Object, p load.Program) bool {
		return c.Symbol == "" && p.Type == ebpf.Kprobe && !isUprobe(p) && p.Target == ""
	}},
}

func isUprobe(p load.Program) bool {
	return p.Type == ebpf.Kprobe && (strings.HasPrefix(p.Kind, "uprobe") || strings.HasPrefix(p.Kind, "uretprobe"))
}

// userSymbol is what the section of a uprobe names: "libc.so.6:getaddrinfo".
func userSymbol(p load.Program) (path, symbol string) {
	i := strings.LastIndex(p.Target, ":")
	if i < 0 {
		return "", ""
	}
	return p.Target[:i], p.Target[i+1:]
}

func socketMaps(obj *load.Object) (n int) {
	for _, m := range obj.Maps() {
		if slices.Contains(socketMap, m.Type) {
			n++
		}
	}
	return n
}

// checkTargets finds a missing flag before anything is loaded.
func (c *loadCmd) checkTargets(obj *load.Object) error {
	for _, p := range obj.Programs() {
		for _, place := range places {
			if place.unknown(c, obj, p) {
				return badInputf("attach %s: name %s for %s programs with %s", p.Name, place.what, p.Kind, place.flag)
			}
		}
	}
	return nil
}
