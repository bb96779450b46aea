package target

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	systemd "github.com/coreos/go-systemd/v22/dbus"
)

// Unit is a unit of systemd, which is asked over D-Bus.
type Unit struct {
	Name string // ".service" is added where there is no suffix of a unit
}

func (u *Unit) String() string { return "systemd:" + u.Name }

// unitKinds are the suffixes of units that can be started (systemd.unit(5)).
var unitKinds = []string{
	".service", ".socket", ".device", ".mount", ".automount", ".swap", ".target", ".path", ".timer", ".slice", ".scope",
}

func (u *Unit) name() string {
	if slices.Contains(unitKinds, filepath.Ext(u.Name)) {
		return u.Name
	}
	return u.Name + ".service"
}

// job is a request to systemd that makes a job of the unit.
type job func(c *systemd.Conn, ctx context.Context, name, mode string, done chan<- string) (int, error)

// Start starts the unit and waits until systemd says that it has.
func (u *Unit) Start(ctx context.Context) error {
	return u.do(ctx, "start", (*systemd.Conn).StartUnitContext)
}

// Stop stops the unit and waits until systemd says that it has.
func (u *Unit) Stop(ctx context.Context) error {
	return u.do(ctx, "stop", (*systemd.Conn).StopUnitContext)
}

func (u *Unit) do(ctx context.Context, verb string, j job) error {
	err := u.ask(ctx, j)
	if err != nil {
		return fmt.Errorf("%s unit %s: %w", verb, u.name(), err)
	}
	return nil
}

func (u *Unit) ask(ctx context.Context, j job) error {
	c, err := systemd.NewWithContext(ctx)
	if err != nil {
		return fmt.Errorf("ask systemd: %w", err)
	}
	defer c.Close()
	done := make(chan string, 1)
	if _, err := j(c, ctx, u.name(), "replace", done); err != nil {
		return err
	}
	select {
	case result := <-done:
		return verdict(result)
	case <-ctx.Done():
		return interrupted(ctx, "the job of systemd")
	}
}

// property is one of the unit's properties that are text.
func (u *Unit) property(ctx context.Context, name string) (string, error) {
	c, err := systemd.NewWithContext(ctx)
	if err != nil {
		return "", fmt.Errorf("ask systemd: %w", err)
	}
	defer c.Close()
	p, err := c.GetUnitPropertyContext(ctx, u.name(), name)
	if err != nil {
		return "", err
	}
	text, _ := p.Value.Value().(string)
	return text, nil
}

// The pauses in which Wait asks. systemd would tell by signals, but only who wants to
// hear of all units.
const (
	firstWait = 10 * time.Millisecond
	lastWait  = 15 * time.Second
)

// Wait waits until the unit has ended by itself, and returns nil if it has done its work.
// One that systemd starts again in its own time is still there.
func (u *Unit) Wait(ctx context.Context) error {
	before := ""
	for pause := firstWait; ; pause = min(2*pause, lastWait) {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return interrupted(ctx, "unit "+u.name())
		}
		state, err := u.property(ctx, "ActiveState")
		if err != nil {
			continue // systemd or its bus is being started anew
		}
		// A restart may lead through these two.
		switch again := state == before; {
		case again && state == "failed":
			return fmt.Errorf("unit %s failed; systemctl status tells more", u.name())
		case again && state == "inactive":
			return nil
		}
		before = state
	}
}

// verdict makes an error of a job's result (org.freedesktop.systemd1(5), JobRemoved).
func verdict(result string) error {
	switch result {
	case "done", "skipped":
		return nil
	case "failed":
		return errors.New("the unit failed; systemctl status tells more")
	}
	return fmt.Errorf("the job ended with %q", result)
}
