//go:build linux

// Vmrun runs a static binary in a virtual machine with a distribution's kernel
// and exits with its exit code.
//
//	go run ./internal/testkit/vmrun -- binary args
//
// It also serves go test, whose binaries then find the module's files and their
// working directory inside as outside:
//
//	go build -o .cache/vmrun ./internal/testkit/vmrun
//	CGO_ENABLED=0 go test -exec "$PWD/.cache/vmrun -module --" ./load
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/waggle-bpf/waggle/internal/testkit/vm"
)

// The exit code when the machine gives none; go test's own codes are 0, 1, 2.
const exitNoResult = 125

func main() {
	var (
		module  = flag.Bool("module", false, "copy the files of the Go module around the current directory into the machine")
		files   = flag.String("files", "", "comma-separated files and directories to copy into the machine")
		timeout = flag.Duration("timeout", 2*time.Minute, "hard limit of the program's run")
		log     = flag.String("log", "", "file to which failed boots are appended; standard error if empty")
		fetch   = flag.Bool("fetch", false, "only fetch the kernel")
	)
	flag.Parse()
	code, err := run(*module, *files, *timeout, *log, *fetch, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "vmrun:", err)
		os.Exit(exitNoResult)
	}
	os.Exit(code)
}

func run(module bool, files string, timeout time.Duration, logFile string, fetch bool, argv []string) (int, error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	wd, err := os.Getwd()
	if err != nil {
		return 0, err
	}
	root, err := moduleRoot(wd)
	if err != nil {
		return 0, err
	}
	k, err := vm.FetchKernel(ctx, filepath.Join(root, ".cache"))
	if err != nil {
		return 0, err
	}
	if fetch {
		fmt.Println("kernel", k.Release)
		return 0, nil
	}
	log := os.Stderr
	if logFile != "" {
		if log, err = os.OpenFile(logFile, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644); err != nil {
			return 0, err
		}
		defer log.Close()
	}
	cfg := vm.Config{Kernel: k, Argv: argv, Timeout: timeout, Stdout: os.Stdout, Log: log, Env: passedOn(os.Environ())}
	if module {
		cfg.Dir = wd
		cfg.Files = append(cfg.Files, root)
		cfg.Skip = skip
	}
	if files != "" {
		cfg.Files = append(cfg.Files, strings.Split(files, ",")...)
	}
	return vm.Run(ctx, cfg)
}

// moduleRoot is the nearest directory at or above dir with a go.mod.
func moduleRoot(dir string) (string, error) {
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(filepath.Join(d, "go.mod")); err == nil {
			return d, nil
		}
		if d == filepath.Dir(d) {
			return "", errors.New("find module: no go.mod above " + dir)
		}
	}
}

// skip leaves out what no test reads: what begins with a dot.
func skip(path string) bool { return strings.HasPrefix(filepath.Base(path), ".") }

// passedOn picks the environment variables that steer our tests, but not those
// by which test processes tell each other who they are.
func passedOn(env []string) (out []string) {
	for _, e := range env {
		if strings.HasPrefix(e, "WAGGLE_TEST_") {
			continue
		}
		if strings.HasPrefix(e, "WAGGLE_") || strings.HasPrefix(e, "GODEBUG=") {
			out = append(out, e)
		}
	}
	return append(out, "WAGGLE_VM=1")
}
