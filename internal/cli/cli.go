// Package cli is the waggle command: one file per subcommand, the exit codes in
// exit.go, the command's manual in docs.go.
//
// Everything a command prints goes through its environment, so that tests run it
// in their own process; errors go to standard error, one line each.
package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

// grammar is the command line: a field for each subcommand.
type grammar struct {
	Version kong.VersionFlag `help:"Print the version and exit."`

	New      newCmd      `cmd:"" help:"Make a new project: a kernel package, its test and a loader."`
	Build    buildCmd    `cmd:"" help:"Compile a kernel package to a BPF object, and typed Go bindings."`
	Verify   verifyCmd   `cmd:"" help:"Load on this kernel and tell what the verifier says."`
	Load     loadCmd     `cmd:"" help:"Load an object, attach its programs and print their events."`
	Exec     execCmd     `cmd:"" help:"Run one function once in the kernel and print its results."`
	Trace    traceCmd    `cmd:"" help:"Watch traffic."`
	Forward  forwardCmd  `cmd:"" help:"Forward TCP connections by their first bytes."`
	Redirect redirectCmd `cmd:"" help:"Short-cut local TCP connections from socket to socket."`
	Wake     wakeCmd     `cmd:"" help:"Start a target when somebody wants it, and stop it again."`
	Idle     idleCmd     `cmd:"" help:"Run a service, and stop it when nobody is there."`
	Doctor   doctorCmd   `cmd:"" help:"Tell what this kernel and this user can do."`
}

const description = "eBPF in Go, on both sides of the kernel boundary."

// env is what a command acts on.
type env struct {
	ctx            context.Context // ends with SIGINT or SIGTERM, and mostly SIGHUP
	stdin          io.Reader
	stdout, stderr io.Writer
}

// hangups has the commands that SIGHUP means something else to than the end: the
// one reads its configuration again, the other passes it on to its service.
var hangups = map[string]bool{"forward": true, "idle": true}

// endings are the signals that make a command clean up and end. A terminal that is
// closed sends SIGHUP, but not to those who are to survive it (nohup).
func endings(args []string) []os.Signal {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if len(args) > 0 && !hangups[args[0]] && !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signals
}

// repeat is how long the signals that end a command count as one: a terminal and a
// parent both send theirs, and an impatient user's come in twos.
const repeat = 500 * time.Millisecond

// Run runs the command with the given arguments and returns its exit code. A
// SIGINT, SIGTERM or SIGHUP makes it clean up and end, a later one ends it at once.
func Run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	// Never given back in the end: a repeated signal must not change the exit code of a
	// process that has done all it had to.
	ctx, stop := signal.NotifyContext(context.Background(), endings(args)...)
	context.AfterFunc(ctx, func() { time.AfterFunc(repeat, stop) })
	// Without this, writing to a pipe that nobody reads any more would end the
	// process before it has cleaned up. Signals that are ignored instead of being
	// taken are ignored by the commands that it starts, too.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return report(stderr, run(args, &env{ctx: ctx, stdin: stdin, stdout: stdout, stderr: stderr}))
}

func run(args []string, e *env) (err error) {
	parser, err := newParser(e)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	defer func() {
		if r := recover(); r != nil {
			if r != any(helped{}) {
				panic(r)
			}
		}
	}()
	if len(args) == 0 {
		args = []string{"--help"}
	}
	cmd, err := parser.Parse(bareArguments(args))
	if err != nil {
		return &inputError{err: err, hint: usageHint(err)}
	}
	return cmd.Run(e)
}

// helped is how kong's request to exit, after printing help or the version,
// comes out of the parser.
type helped struct{}

func newParser(e *env) (*kong.Kong, error) {
	return kong.New(new(grammar),
		kong.Name("waggle"),
		kong.Description(description),
		kong.Writers(e.stdout, e.stderr),
		kong.Exit(func(int) { panic(helped{}) }),
		kong.Vars{"version": version()},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
	)
}

// version is the module's version, or the commit it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return "waggle " + info.Main.Version + " " + info.GoVersion
}

// bareArguments lets the arguments of exec's function begin with a minus:
// negative numbers are not flags.
func bareArguments(args []string) []string {
	if args[0] != "exec" {
		return args
	}
	positional := 0
	for i, a := range args[1:] {
		if a == "--" {
			break
		}
		if len(a) == 0 || a[0] != '-' {
			positional++
		}
		if positional == 2 { // the directory and the function
			rest := args[i+2:]
			if len(rest) > 0 && rest[0] == "--" {
				break
			}
			out := append(append([]string{}, args[:i+2]...), "--")
			return append(out, rest...)
		}
	}
	return args
}

// usageHint tells where to read on after a mistake on the command line.
func usageHint(err error) string {
	var p *kong.ParseError
	if errors.As(err, &p) && p.Context != nil && p.Context.Selected() != nil {
		return "see " + p.Context.Selected().FullPath() + " --help"
	}
	return "see waggle --help"
}
