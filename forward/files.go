package forward

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/forward/config"
)

// files is how the file descriptors that this process may open are shared out.
type files struct {
	limit       int // what there is
	reserve     int // as configured
	pipes       int // of the splice engine, two each
	connections int // two each
}

// shareOut divides the descriptors. Reserve is for everything else that has to be
// open: listeners, logs, the maps of an engine, health checks; it is half of them at
// most. Pipes get an eighth, because without one there is still a way to forward.
func shareOut(limit, reserve int) files {
	f := files{limit: limit, reserve: reserve, pipes: max(min(limit/16, 256), 1)}
	f.connections = max((limit-min(reserve, limit/2)-2*f.pipes)/2, 1)
	return f
}

// fileLimit is how many files this process may have open. Go's runtime has raised the
// soft limit to the hard one.
func fileLimit() (int, error) {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return 0, fmt.Errorf("get the limit of open files: %w", err)
	}
	return int(min(r.Cur, 1<<30)), nil
}

// bound lowers the limit of connections to what the descriptors allow, and says so if
// the configuration wants more.
func (f *files) bound(l *config.Limits, notice func(string, ...any)) {
	if l.Connections > f.connections {
		notice("limit of connections lowered from %d to %d: this process may open %d files, and a connection takes two",
			l.Connections, f.connections, f.limit)
	}
	if l.Connections == 0 || l.Connections > f.connections {
		l.Connections = f.connections
	}
}
