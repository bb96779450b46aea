// Package target starts and stops the things that need not run all the time: a
// process, a unit of systemd, a container, the processes of a cgroup, a machine. Each has a file
// of its own. [Parse] makes a target of its text, as users write it.
package target

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Target is something that can be started and stopped. Contexts bound the calls, not
// the life of what they start; both methods do nothing if that is done already.
type Target interface {
	// Start returns when the target runs, as far as whoever started it can tell: it
	// need not be ready to serve.
	Start(ctx context.Context) error
	// Stop returns when the target has stopped.
	Stop(ctx context.Context) error
	// String is the text that Parse makes such a target of.
	String() string
}

// kinds are the targets by the first word of their text, with what comes behind it.
var kinds = []struct {
	name, rest string
	make       func(rest string) Target
}{
	{"exec", "COMMAND", func(rest string) Target { return &Exec{Command: rest} }},
	{"systemd", "UNIT", func(rest string) Target { return &Unit{Name: rest} }},
	{"docker", "NAME", func(rest string) Target { return &Container{Name: rest} }},
	{"freeze", "CGROUP", func(rest string) Target { return &Freezer{Dir: rest} }},
	{"wol", "MAC", func(rest string) Target { return &WakeOnLAN{Name: rest} }},
	{"fly", "APP/MACHINE", func(rest string) Target { return &Fly{Name: rest} }},
}

// validator is a target that knows before it is used what it can't do without.
type validator interface{ Validate() error }

// Parse returns the target that a text stands for: exec:COMMAND, systemd:UNIT,
// docker:NAME, freeze:CGROUP, wol:MAC or fly:APP/MACHINE. Whether it exists shows when
// it is started or stopped; Check tells in advance.
func Parse(text string) (Target, error) {
	name, rest, _ := strings.Cut(text, ":")
	var forms []string
	for _, k := range kinds {
		if k.name == name {
			if strings.TrimSpace(rest) == "" {
				return nil, fmt.Errorf("read target %q: %s is missing; write %s:%s", text, k.rest, k.name, k.rest)
			}
			t := k.make(rest)
			if v, ok := t.(validator); ok {
				if err := v.Validate(); err != nil {
					return nil, fmt.Errorf("read target %q: %w", text, err)
				}
			}
			return t, nil
		}
		forms = append(forms, k.name+":"+k.rest)
	}
	return nil, fmt.Errorf("read target %q: it begins with none of %s", text, strings.Join(forms, ", "))
}

// interrupted is the error of something that took longer than it may: the context's
// own says less than what was waited for.
func interrupted(ctx context.Context, what string) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%s takes too long: %w", what, ctx.Err())
	}
	return fmt.Errorf("%s: %w", what, ctx.Err())
}
