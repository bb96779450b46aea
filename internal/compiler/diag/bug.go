package diag

import (
	"fmt"
	"go/token"
	"path"
	"runtime"
	"strings"
)

// Bug is a mistake of the compiler itself, not of the program's author: a panic
// while it compiled what stands at Pos.
type Bug struct {
	Pos   token.Position // without a line if it isn't known
	Cause any            // what the panic said
	Where string         // the compiler's own line: "lower/helper.go:122"
}

// Error returns one line, which asks for a report.
func (b *Bug) Error() string {
	where := b.Pos.String() + ": "
	if where == "-: " {
		where = ""
	}
	cause := strings.ReplaceAll(fmt.Sprint(b.Cause), "\n", " ")
	return fmt.Sprintf("%sinternal compiler error: %s (%s); please report it with the source at this place", where, cause, b.Where)
}

// NewBug makes an error of what recover returned in a deferred function. A panic
// that was caught once and goes on keeps what it had first.
func NewBug(cause any, pos token.Position) *Bug {
	b, ok := cause.(*Bug)
	if !ok {
		b = &Bug{Cause: cause, Where: panicked()}
	}
	if !b.Pos.IsValid() {
		b.Pos = pos
	}
	return b
}

// Catch makes an error of a panic; it is to be deferred.
func Catch(err *error, pos func() token.Position) {
	if cause := recover(); cause != nil {
		*err = NewBug(cause, pos())
	}
}

// panicked returns the line that the current panic comes from.
func panicked() string {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	deferred := true // what runs because of the panic comes first
	for {
		f, more := frames.Next()
		switch {
		case f.Function == "runtime.gopanic":
			deferred = false
		case !deferred && !strings.HasPrefix(f.Function, "runtime."):
			dir, file := path.Split(f.File)
			return fmt.Sprintf("%s/%s:%d", path.Base(dir), file, f.Line)
		}
		if !more {
			return "unknown"
		}
	}
}
