package idle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/internal/cgroup"
	"github.com/waggle-bpf/waggle/target"
)

// freezer freezes a service that others have started, where it is at that time: they may
// have started it anew, in another cgroup.
type freezer struct {
	target.Freezer // with no directory if there is nothing to freeze
	find           func() place
}

// Stop freezes the service. It returns errNobody or cgroup.ErrNone if that does not run.
func (f *freezer) Stop(ctx context.Context) error {
	p := f.find()
	f.Dir = p.dir
	if p.err != nil {
		return p.err
	}
	if err := checkOutside(f.Dir); err != nil {
		f.Dir = "" // it is still as it was
		return err
	}
	return f.Freezer.Stop(ctx)
}

// Start thaws the service where it was frozen. If that is gone, so is what was frozen.
func (f *freezer) Start(ctx context.Context) error {
	if f.Dir == "" {
		return nil
	}
	err := f.Freezer.Start(ctx)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}

// over tells whether the service runs though it was frozen, or did not run: others have
// started it anew, or have thawed it.
func (f *freezer) over() bool {
	if f.Dir == "" {
		return f.find().err == nil
	}
	text, err := os.ReadFile(filepath.Join(f.Dir, "cgroup.freeze"))
	return err != nil || !bytes.HasPrefix(text, []byte("1"))
}

// absent tells whether an error is that the service does not run.
func absent(err error) bool { return errors.Is(err, errNobody) || errors.Is(err, cgroup.ErrNone) }

// checkOutside makes sure that this process is not in a cgroup that is to be frozen.
func checkOutside(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if own, err := cgroup.Own(); err == nil && cgroup.Within(own, dir) {
		return fmt.Errorf("waggle idle is in cgroup %s, too; it can't freeze itself", dir)
	}
	return nil
}
