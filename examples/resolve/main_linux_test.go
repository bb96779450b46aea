package main

import (
	"os/exec"
	"testing"

	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/command"
)

func TestMain(m *testing.M) { command.Main(m, main) }

// TestResolve lets getent look up names that need no network.
func TestResolve(t *testing.T) {
	testkit.RequireRoot(t)
	testkit.RequireTool(t, "getent")
	p := command.Start(t)
	p.Expect("^watching look-ups")
	for name, outcome := range map[string]string{
		"127.0.0.1":       "found",
		"::1":             "found",
		"nowhere.invalid": "(name not known|try again|no address)",
	} {
		// Its result is in the exit code, and not what this is about.
		_ = exec.Command("getent", "ahosts", name).Run()
		p.Expect(`^getent\[\d+\] ` + name + `: ` + outcome + `, [0-9.]+(µs|ms|s)$`)
	}
	p.Interrupt()
	p.Expect(`^[1-9]\d* look-ups, 0 lost$`)
}

func TestNoLibrary(t *testing.T) {
	testkit.RequireRoot(t)
	command.Fails(t, "/nowhere/libc.so", "-libc", "/nowhere/libc.so")
}
