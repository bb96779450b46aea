package cli

import (
	"errors"
	"fmt"

	"github.com/waggle-bpf/waggle/forward/admin"
	"github.com/waggle-bpf/waggle/forward/config"
)

// forwardCmd is waggle forward, a family of commands.
type forwardCmd struct {
	Run     forwardRunCmd     `cmd:"" default:"withargs" help:"Forward TCP connections; \"waggle forward\" is short for it."`
	Check   forwardCheckCmd   `cmd:"" help:"Tell what is wrong with a configuration."`
	Status  forwardStatusCmd  `cmd:"" help:"Print what a running forwarder does."`
	Flush   forwardFlushCmd   `cmd:"" help:"End the connections that go on without a forwarder."`
	Token   forwardTokenCmd   `cmd:"" help:"Make a token that a route asks for."`
	Upgrade forwardUpgradeCmd `cmd:"" help:"Replace a running forwarder by the program that has its name now, without turning anybody away."`
}

// Help is the family's manual.
func (*forwardCmd) Help() string {
	return `Without a command it forwards; "waggle forward run --help" lists the flags.

  waggle forward --listen :8080 --to 10.0.0.1:80,10.0.0.2:80
  waggle forward -c /etc/waggle/forward.yaml`
}

// forwardCheckCmd is waggle forward check.
type forwardCheckCmd struct {
	File string `arg:"" help:"The configuration."`
}

// Help is the command's manual.
func (*forwardCheckCmd) Help() string {
	return `All that is wrong is printed, a line each, as FILE:LINE:COLUMN: MESSAGE, and the exit code is 2.

  waggle forward check /etc/waggle/forward.yaml`
}

// Run reads the configuration.
func (c *forwardCheckCmd) Run(e *env) error {
	cfg, err := config.Load(c.File)
	if err != nil {
		return badInput(err)
	}
	_, err = fmt.Fprintf(e.stdout, "%s is fine: %s, %s\n", c.File, count(len(cfg.Listeners), "listener"), count(len(cfg.Groups), "group"))
	return err
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// forwardUpgradeCmd is waggle forward upgrade.
type forwardUpgradeCmd struct {
	Admin string `placeholder:"PATH" help:"The forwarder's admin socket."`
}

// Help is the command's manual.
func (*forwardUpgradeCmd) Help() string {
	return `The running forwarder starts its program again, with the arguments it has itself, and hands it the open listeners. When the
new process serves, the old one drains and ends. If the new one does not come up, the old one goes on and the command
fails. Connections that the kernel moves by itself go over to the new process, others end with the old one.

  waggle forward upgrade
  waggle forward upgrade --admin /run/waggle/web.sock`
}

// Run asks the forwarder to upgrade itself.
func (c *forwardUpgradeCmd) Run(e *env) error {
	pid, err := admin.Upgrade(adminPath(c.Admin))
	if err != nil {
		return noForwarder(err)
	}
	_, err = fmt.Fprintf(e.stdout, "forwarder %d serves\n", pid)
	return err
}

func adminPath(path string) string {
	if path == "" {
		return admin.DefaultPath()
	}
	return path
}

// noForwarder adds what to do about an error of the admin socket.
func noForwarder(err error) error {
	if errors.Is(err, admin.ErrNone) {
		return fmt.Errorf("%w; --admin names the socket of another one", err)
	}
	return err
}
