package route

import (
	"fmt"
	"strings"
)

func (e *FieldError) Error() string {
	at := fmt.Sprintf("rule %d", e.Rule+1)
	if e.Field != "" {
		at += ", " + e.Field
	}
	if e.Index >= 0 {
		at += fmt.Sprintf(" %d", e.Index+1)
	}
	return at + ": " + e.Err.Error()
}

func (e *FieldError) Unwrap() error { return e.Err }

// Errors is all that is wrong with the rules of a table.
type Errors []*FieldError

func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, err := range e {
		lines[i] = err.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.As and errors.Is look at each of them.
func (e Errors) Unwrap() []error {
	errs := make([]error, len(e))
	for i, err := range e {
		errs[i] = err
	}
	return errs
}

// Format keeps secrets out of logs and dumps, whatever the verb.
func (k Keys) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "%d keys", len(k)) }
