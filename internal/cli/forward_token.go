package cli

import (
	"fmt"
	"time"

	"github.com/waggle-bpf/waggle/forward/config"
	"github.com/waggle-bpf/waggle/forward/route"
)

// forwardTokenCmd is waggle forward token.
type forwardTokenCmd struct {
	Key   string        `required:"" placeholder:"KEY" help:"The secret that signs it: file:PATH or env:NAME."`
	Scope string        `placeholder:"TEXT" help:"What it is for: the scope of the route."`
	For   time.Duration `default:"24h" placeholder:"TIME" help:"How long it is valid; 24h by default."`
}

// Help is the command's manual.
func (*forwardTokenCmd) Help() string {
	return `Prints a token for routes with a "token" condition that have the same key and scope. Whoever has it may use it until it
is no longer valid; without the key nobody can make another one. docs/forward.md tells what it consists of.

  waggle forward token --key file:/etc/waggle/token.key --scope db --for 1h
  (echo "TOKEN $(waggle forward token --key env:KEY --scope db)"; cat) | nc proxy.example.org 5432`
}

// Run makes the token.
func (c *forwardTokenCmd) Run(e *env) error {
	if c.For <= 0 {
		return badInputf("--for: a token that is valid for %v is never valid", c.For)
	}
	key, err := config.Secret(c.Key)
	if err != nil {
		return badInputf("--key: %w", err)
	}
	token, err := route.Mint(key, c.Scope, time.Now().Add(c.For))
	if err != nil {
		return badInput(err)
	}
	_, err = fmt.Fprintln(e.stdout, token)
	return err
}
