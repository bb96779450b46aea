package target

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
)

// Check tells whether a target could be started and stopped here, as far as that can
// be known without doing it: what is wrong is better known before somebody needs it.
func Check(ctx context.Context, t Target) error {
	if c, ok := t.(interface{ Check(context.Context) error }); ok {
		return c.Check(ctx)
	}
	return nil
}

// Check looks for the container.
func (c *Container) Check(ctx context.Context) error {
	if err := c.ask(ctx, http.MethodGet, "json", nil, nil); err != nil {
		return fmt.Errorf("look for container %s: %w", c.Name, err)
	}
	return nil
}

// Check looks for the cgroup, and whether it may be frozen.
func (f *Freezer) Check(context.Context) error {
	file, err := os.OpenFile(f.file(), os.O_WRONLY, 0)
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		return fmt.Errorf("look for cgroup: %w", notFreezable(err))
	}
	return nil
}

// Check looks for the unit.
func (u *Unit) Check(ctx context.Context) error {
	if err := u.check(ctx); err != nil {
		return fmt.Errorf("look for unit %s: %w", u.name(), err)
	}
	return nil
}

func (u *Unit) check(ctx context.Context) error {
	state, err := u.property(ctx, "LoadState")
	switch {
	case err != nil:
		return err
	case state == "not-found":
		return errors.New("there is no such unit")
	case state == "masked", state == "bad-setting", state == "error":
		return fmt.Errorf("its state is %q; systemctl status tells more", state)
	}
	return nil
}

// plainWord is a word that the shell takes as it is.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./+-]+$`)

// Check looks for the command, if the shell's text begins with one.
func (e *Exec) Check(ctx context.Context) error {
	words := strings.Fields(e.Command)
	if len(words) == 0 || !plainWord.MatchString(words[0]) {
		return nil
	}
	// The shell knows its own words, too.
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", `command -v -- "$1"`, "sh", words[0])
	cmd.Env = append(cmd.Environ(), e.Env...)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("look for command %q: not found", words[0])
	}
	return nil
}
