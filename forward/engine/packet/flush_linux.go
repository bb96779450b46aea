package packet

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/waggle-bpf/waggle/forward/engine"
	"github.com/waggle-bpf/waggle/forward/engine/splice"
)

// flushed is why Flush ends a pair.
const flushed engine.Cause = "flushed"

// Flush ends the spliced connections of the calling thread's network namespace that no
// process has any more: both ends get a reset. It removes what is pinned for them, also
// what versions have left that this one can't read. It returns how many pairs it has
// ended. What running forwarders have stays. An empty dir means DefaultDir.
func Flush(dir string) (ended int, err error) {
	dir = cmp.Or(dir, DefaultDir)
	e, err := New(Options{Dir: dir, Linger: time.Millisecond, Mover: splice.New(splice.Options{})})
	if err != nil {
		return 0, err
	}
	for _, a := range e.Adopt() {
		a.Pair.Abort(flushed)
		if end := e.Forward(a.Pair); end.Err != nil {
			err = errors.Join(err, end.Err)
		}
		ended++
	}
	others, globErr := filepath.Glob(filepath.Join(dir, fmt.Sprintf("*-net%d", e.kernel.ns.cookie)))
	err = errors.Join(err, globErr)
	for _, other := range others {
		if other != e.kernel.dir {
			err = errors.Join(err, removeForeign(other))
		}
	}
	return ended, errors.Join(err, e.Close())
}

// removeForeign removes pins of another layout that no process uses.
func removeForeign(dir string) (err error) {
	l, err := openLocks(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	if err := l.ready(); err != nil {
		return err
	}
	if alone, err := l.alone(); err != nil || !alone {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove pins: %w", err)
	}
	l.remove()
	return nil
}
