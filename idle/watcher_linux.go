package idle

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/waggle-bpf/waggle/idle/watch"
	"github.com/waggle-bpf/waggle/idle/watch/procfs"
	"github.com/waggle-bpf/waggle/idle/watch/proxy"
	"github.com/waggle-bpf/waggle/idle/watch/sockets"
	"github.com/waggle-bpf/waggle/idle/watch/sockops"
	"github.com/waggle-bpf/waggle/internal/cgroup"
)

// place is where the service is.
type place struct {
	dir string // its cgroup's directory, "" if that is not known
	err error  // why not
}

// opener opens a watcher.
type opener func(o *Options, p place) (watch.Watcher, error)

// openers are the watchers by name; those that auto tries, in this order.
var (
	openers = map[string]opener{"sockops": openSockops, "procfs": openProcfs, "proxy": openProxy}
	byMerit = []string{"sockops", "procfs"}
)

func openSockops(o *Options, p place) (watch.Watcher, error) {
	if p.err != nil {
		return nil, p.err
	}
	w := sockops.Options{Cgroup: p.dir, Ports: o.Ports, Notice: o.Log}
	if len(o.Command) == 0 { // others may start it anew
		w.Find = func() (string, error) {
			p := find(o)
			if absent(p.err) {
				return "", nil
			}
			return p.dir, p.err
		}
	}
	return some(sockops.Open(w))
}

func openProcfs(o *Options, _ place) (watch.Watcher, error) {
	return some(procfs.Open(procfs.Options{Ports: o.Ports}))
}

func openProxy(o *Options, _ place) (watch.Watcher, error) {
	return some(proxy.Open(proxy.Options{Listen: o.Listen, To: o.To, ProxyFrom: o.ProxyFrom, Notice: o.Log}))
}

// some makes an interface of a watcher, and none of an error.
func some[W watch.Watcher](w W, err error) (watch.Watcher, error) {
	if err != nil {
		return nil, err
	}
	return w, nil
}

// openWatcher opens the watcher that is asked for, or the first that works, and says
// why it is this one.
func openWatcher(o *Options, p place) (w watch.Watcher, why string, err error) {
	name := o.Watch
	if name == "auto" && o.Listen != "" {
		name, why = "proxy", "because clients connect to --listen"
	}
	if name != "auto" {
		if why == "" {
			why = "as asked for"
		}
		w, err = openers[name](o, p)
		if err != nil {
			err = fmt.Errorf("watch by %s: %w", name, err)
		}
		return w, why, err
	}
	problem := errors.New("no watcher works")
	why = "the first choice"
	for _, name := range byMerit {
		if w, err = openers[name](o, p); err == nil {
			return w, why, nil
		}
		problem = fmt.Errorf("%w; watch by %s: %w", problem, name, err)
		why = "because " + name + " doesn't work: " + oneLine(err)
	}
	return nil, "", problem
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

// find finds the cgroup of a service that runs already, by the sockets that listen on
// its ports.
func find(o *Options) place {
	if o.Cgroup != "" {
		dir, err := cgroup.Resolve(o.Cgroup)
		return place{dir, err}
	}
	dir, err := cgroupOf(o.Ports)
	return place{dir, err}
}

// errNobody is that the service does not run.
var errNobody = errors.New("nobody listens")

func cgroupOf(ports []uint16) (string, error) {
	ids, listening, err := listeners(ports)
	if err != nil {
		return "", err
	}
	for _, p := range ports {
		if !listening[p] {
			return "", fmt.Errorf("find cgroup: %w on port %d", errNobody, p)
		}
	}
	if len(ids) != 1 || ids[0] {
		return "", fmt.Errorf("find cgroup: those who listen are in %d; name the one to watch with --cgroup", len(ids))
	}
	for id := range ids {
		return cgroup.ByID(id)
	}
	panic("unreachable")
}

// listeners tells in which cgroups somebody listens on some ports, and on which of them.
func listeners(ports []uint16) (groups map[uint64]bool, listening map[uint16]bool, err error) {
	d, err := sockets.OpenDiag()
	if err != nil {
		return nil, nil, err
	}
	groups, listening = make(map[uint64]bool), make(map[uint16]bool)
	err = d.Listeners(ports, func(s *sockets.Socket) {
		groups[s.Cgroup] = true
		listening[s.Local.Port()] = true
	})
	return groups, listening, errors.Join(err, d.Close())
}

// deaf returns those of some ports on which nobody listens in this network namespace, as
// far as that can be known.
func deaf(ports []uint16) []uint16 {
	_, listening, err := listeners(ports)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(ports), func(p uint16) bool { return listening[p] })
}
