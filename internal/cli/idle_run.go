package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"runtime"
	"time"

	"github.com/waggle-bpf/waggle/idle"
	"github.com/waggle-bpf/waggle/idle/hook"
	"github.com/waggle-bpf/waggle/idle/policy"
)

// idleRunCmd is waggle idle run.
type idleRunCmd struct {
	Command []string `arg:"" optional:"" help:"The service and its arguments, behind --."`

	Port   []uint16      `short:"p" placeholder:"N" help:"The service's ports; without any, all connections count that it accepts."`
	Idle   time.Duration `default:"1m" placeholder:"TIME" help:"How long nobody may be there until it is stopped; 1m by default."`
	OnIdle string        `default:"exit" placeholder:"WHAT" help:"What to do then: exit, exec:COMMAND, systemd:UNIT, docker:NAME or freeze."`
	Grace  time.Duration `placeholder:"TIME" help:"How long it stays up after the start in any case."`

	Ignore   []netip.Prefix `placeholder:"CIDR" help:"Sources whose connections don't count, such as health checks."`
	MinAge   time.Duration  `placeholder:"TIME" help:"Connections count only from that age on."`
	MinBytes uint64         `placeholder:"N" help:"Connections count only when they have moved so many bytes."`
	Silent   time.Duration  `placeholder:"TIME" help:"Connections don't count on which nothing has moved for so long."`

	Watch     string         `default:"auto" placeholder:"HOW" help:"How to watch: auto, sockops, procfs or proxy."`
	Cgroup    string         `placeholder:"PATH" help:"The cgroup of a service that runs already; else it is found by its ports."`
	Listen    string         `placeholder:"ADDR" help:"Where clients connect, for --watch proxy."`
	To        string         `placeholder:"ADDR" help:"Where the service listens, for --watch proxy."`
	ProxyFrom []netip.Prefix `placeholder:"CIDR" help:"Load balancers, which say by the PROXY protocol who the client is."`

	Link      []string      `placeholder:"FROM:TO" help:"Make a symbolic link at TO that leads to FROM, before the start." sep:"none"`
	Run_      []string      `name:"run" placeholder:"CMD" help:"Run a shell command to its end, before the start." sep:"none"`
	EnvFile   string        `placeholder:"FILE" help:"Add the variables of a file to the environment."`
	KillAfter time.Duration `default:"10s" placeholder:"TIME" help:"How long it may take from SIGTERM to the end; then it is killed. 10s by default."`

	Control string `placeholder:"PATH" help:"The socket for waggle idle why, hold and release."`
	Quiet   bool   `short:"q" help:"Don't tell what happens."`
}

// Help is the command's manual.
func (*idleRunCmd) Help() string {
	return `Starts the service, tells who connects and who leaves, and stops it when nobody has been there for some time. It is made to be
the first process of a container: it waits for orphans, passes signals on, and leaves nothing running. Without a
command it watches what runs already.

  waggle idle run --port 22 -- /usr/sbin/sshd -D -e
  waggle idle --port 22 --idle 10m --ignore 10.0.0.0/8 --link /data/home:/home/dev -- /usr/sbin/sshd -D
  waggle idle --port 5432 --on-idle systemd:postgresql
  waggle idle --listen :2222 --to localhost:22 --proxy-from 172.16.0.0/12 -- /usr/sbin/sshd -D

The kernel tells of connections where it can (sockops: needs root, and no time while connections are open); else
/proc/net/tcp is read twice a second (procfs), or connections go through this process (proxy). See docs/idle.md.

The exit code is 0 when the service was stopped, and that of the service when it ended by itself.`
}

// Run runs the service.
func (c *idleRunCmd) Run(e *env) error {
	if c.Idle <= 0 {
		return badInputf("--idle: %v is no time to wait", c.Idle)
	}
	links := make([]hook.Link, 0, len(c.Link))
	for _, text := range c.Link {
		l, err := hook.ParseLink(text)
		if err != nil {
			return badInput(err)
		}
		links = append(links, l)
	}
	o := idle.Options{
		Command: c.Command, Ports: c.Port,
		Watch: c.Watch, Cgroup: c.Cgroup, Listen: c.Listen, To: c.To, ProxyFrom: c.ProxyFrom,
		Policy: policy.Config{Idle: c.Idle, Grace: c.Grace, Ignore: c.Ignore, MinAge: c.MinAge, MinBytes: c.MinBytes, Quiet: c.Silent},
		OnIdle: c.OnIdle, KillAfter: c.KillAfter,
		EnvFile: c.EnvFile, Links: links, Run: c.Run_,
		Control: c.Control, Main: true,
		Stdin: file(e.stdin), Stdout: file(e.stdout), Stderr: file(e.stderr),
	}
	if !c.Quiet {
		o.Log = func(line string) { fmt.Fprintln(e.stderr, "waggle: "+line) } // a line at a time
	}
	// Said once more, the number of threads is not looked up again and again: the
	// process is to sleep.
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	err := idle.Run(e.ctx, o)
	var input *idle.InputError
	switch {
	case errors.As(err, &input):
		return &inputError{err: err, hint: "see waggle idle --help"}
	case errors.Is(err, fs.ErrPermission) && exitCode(err) == exitFailure:
		return &deniedError{err}
	}
	return err
}

// file is the file that a stream is; nil, which is /dev/null for a service, if it is
// none.
func file(stream any) *os.File {
	f, _ := stream.(*os.File)
	return f
}
