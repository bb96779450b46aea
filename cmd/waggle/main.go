// Waggle writes, loads and runs eBPF in Go: see docs/cli.md, or waggle --help.
package main

import (
	"os"

	"github.com/waggle-bpf/waggle/internal/cli"
)

func main() { os.Exit(cli.Run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
