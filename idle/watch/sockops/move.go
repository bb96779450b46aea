//go:build linux

package sockops

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/internal/cgroup"
	"github.com/waggle-bpf/waggle/load"
)

// place is where the program is attached.
type place struct {
	dir  string
	info os.FileInfo // one of the same name may come after it
	link []*load.Link
}

// there tells whether the place is still there.
func (p *place) there() bool {
	info, err := os.Stat(p.dir)
	return err == nil && os.SameFile(info, p.info)
}

// home is where the program is, or was when the service had a place.
func (w *Watcher) home() place {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.place
}

// attach attaches the program to a cgroup.
func (w *Watcher) attach(dir string) error {
	if !w.options.Root && cgroup.IsRoot(dir) {
		return fmt.Errorf("watch cgroup %s: it is the root of all", dir)
	}
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("watch cgroup: %w", err)
	}
	link, err := w.kernel.AttachWatch(load.Target{Cgroup: dir})
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.place = place{dir, info, link}
	w.rearm()
	return nil
}

// leave gives a place up, with the connections that it had: nothing will be heard of them.
func (w *Watcher) leave() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var errs []error
	for _, l := range w.place.link {
		errs = append(errs, l.Close())
	}
	w.place.link = nil
	w.lookedAt = monotonic() // what was reported before is out of date
	for id, c := range w.conns {
		w.closed(id, c, time.Now(), c.bytes)
	}
	return errors.Join(errs...)
}

// move takes the program to where the service is now, and tells whether it is where it
// should be.
func (w *Watcher) move() (settled bool, err error) {
	w.turn.Lock()
	defer w.turn.Unlock()
	here := w.home()
	there := here.link != nil && here.there()
	dir, err := w.options.Find()
	if there && (err != nil || dir == "" || dir == here.dir) {
		return true, nil // a service that does not run at the moment may come back there
	}
	if here.link != nil {
		if err := w.leave(); err != nil {
			return false, err
		}
		w.notice("the service has left cgroup " + here.dir)
	}
	if err != nil || dir == "" {
		return false, err
	}
	if err := w.attach(dir); err != nil {
		if _, gone := os.Stat(dir); gone != nil {
			return false, nil
		}
		return false, err
	}
	if err := w.look(before); err != nil {
		return false, err
	}
	w.notice("the service is in cgroup " + dir)
	return true, nil
}

func (w *Watcher) notice(text string) {
	if w.options.Notice != nil {
		w.options.Notice(text)
	}
}

// maxLost is how many times in a row it may be unclear where the service is: while it is
// being started, much is half done.
const maxLost = 10

// stay keeps the program where the service is. It sleeps until the cgroup goes.
func (w *Watcher) stay(ctx context.Context) error {
	if w.options.Find == nil {
		return nil
	}
	for lost := 0; ctx.Err() == nil; {
		settled, err := w.move()
		if lost++; err != nil && lost == maxLost {
			return err
		}
		if err == nil {
			lost = 0
		}
		if settled && w.awaitEnd(ctx) == nil {
			continue
		}
		select {
		case <-ctx.Done():
		case <-time.After(lookEvery):
		}
	}
	return nil
}

// awaitEnd waits until the program's place is gone or another one. An error is that this
// can't be waited for.
func (w *Watcher) awaitEnd(ctx context.Context) error {
	here := w.home()
	file, err := watchDir(filepath.Dir(here.dir))
	if err != nil {
		return err
	}
	defer file.Close()
	wake := func() { _ = file.SetReadDeadline(time.Unix(1, 0)) }
	defer context.AfterFunc(ctx, wake)()
	w.mu.Lock()
	moved := w.place.info != here.info
	w.rearm = wake
	w.mu.Unlock()
	events := make([]byte, 4096)
	for !moved && here.there() {
		if _, err := file.Read(events); err != nil {
			break // woken
		}
	}
	return nil
}

// watchDir returns a file that can be read when something is removed from a directory
// (inotify(7)).
func watchDir(dir string) (*os.File, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init", err)
	}
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_DELETE|unix.IN_ONLYDIR); err != nil {
		return nil, errors.Join(os.NewSyscallError("inotify_add_watch", err), unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), dir), nil
}

// settleTries bounds how long Settle waits for events, a look and a pause each.
const (
	settleTries = 50
	settlePause = 5 * time.Millisecond
)

// Settle implements watch.Watcher: it makes sure that the program is in the right place,
// and waits for the events of the connections that there are.
func (w *Watcher) Settle(ctx context.Context) error {
	if w.options.Find != nil {
		if settled, err := w.move(); !settled {
			return err
		}
	}
	for range settleTries {
		known, err := w.allKnown()
		if known || err != nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(settlePause)
	}
	if !w.list.cookies() {
		return nil // the list may have others' connections, of which no event will tell
	}
	return w.look(loss)
}
