package cli

// wakeCmd is waggle wake, a family of commands.
type wakeCmd struct {
	Run    wakeRunCmd    `cmd:"" default:"withargs" help:"Start a target when somebody wants it, and stop it again; \"waggle wake\" is short for it."`
	Status wakeStatusCmd `cmd:"" help:"Print what waggle wake does: the target's state, who waits, starts and failures."`
}

// Help is the family's manual.
func (*wakeCmd) Help() string {
	return `Without a command it wakes a target; "waggle wake run --help" lists the flags.

  waggle wake --listen :8080 --to 127.0.0.1:9090 --start 'exec:./server -p 9090' --idle 5m
  waggle wake status`
}
