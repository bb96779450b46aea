//go:build linux

package forward

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"

	fwd "github.com/waggle-bpf/waggle/forward"
	"github.com/waggle-bpf/waggle/forward/config"
)

func standin() {
	cfg, err := config.Load(os.Args[3])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	f, err := fwd.New(cfg, fwd.Options{Notice: func(s string) { fmt.Fprintln(os.Stderr, s) }})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	<-c
	f.Drain(cfg.Drain, false)
	if err := f.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
