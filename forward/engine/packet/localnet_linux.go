package packet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// loopbackRules are settings of the loopback interface (ip-sysctl in the kernel's
// documentation) that IPv4 packets need which the programs deliver to it. Those sent on
// loopback bring their route along; these have to find it, and would be dropped as
// martians because they come from an address of the machine and, mostly, go to one
// below 127.0.0.0/8. What arrives on other interfaces is refused as before.
var loopbackRules = []string{
	"/proc/sys/net/ipv4/conf/" + loopback + "/route_localnet",
	"/proc/sys/net/ipv4/conf/" + loopback + "/accept_local",
}

// localNet relaxes the rules for loopback when that is needed. Processes in the same
// network namespace do so together: whoever needs the rules relaxed holds the lock of a
// file, which tells what they were before, and the last one puts that back.
type localNet struct {
	ns *netNS

	mu      sync.Mutex
	file    *os.File // nil: never needed
	checked time.Time
}

// checkAfter is how long the rules are believed to be as they were: others may set them.
const checkAfter = time.Second

// relax sees to it that the rules allow such packets.
func (l *localNet) relax() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.checked) < checkAfter {
		return nil
	}
	err := l.use()
	if err == nil {
		err = l.ns.do(l.set)
	}
	if err != nil {
		return fmt.Errorf("relax rules of loopback: %w", err)
	}
	l.checked = time.Now()
	return nil
}

// use takes the lock that tells others that the rules are needed as they are.
func (l *localNet) use() error {
	if l.file != nil {
		return nil
	}
	if err := os.MkdirAll(lockDir, 0o700); err != nil {
		return err
	}
	f, err := openLocked(filepath.Join(lockDir, fmt.Sprintf("loopback-net%d", l.ns.cookie)), unix.LOCK_SH)
	l.file = f
	return err
}

// set relaxes the rules that are not, and writes down what they were.
func (l *localNet) set() error {
	before, err := l.before()
	if err != nil {
		return err
	}
	for _, path := range loopbackRules {
		old, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if old = bytes.TrimSpace(old); string(old) == "1" {
			continue
		}
		// Written down first: this process may be killed.
		before[path] = string(old)
		if err := l.keep(before); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte("1"), 0); err != nil {
			return err
		}
	}
	return nil
}

// before returns what the rules were that somebody has changed.
func (l *localNet) before() (map[string]string, error) {
	text, err := io.ReadAll(io.NewSectionReader(l.file, 0, 1<<16))
	if err != nil {
		return nil, err
	}
	before := map[string]string{}
	// What a process wrote that was killed meanwhile says nothing.
	if json.Unmarshal(text, &before) != nil {
		return map[string]string{}, nil
	}
	return before, nil
}

func (l *localNet) keep(before map[string]string) error {
	text, err := json.Marshal(before)
	if err != nil {
		return err
	}
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err = l.file.WriteAt(text, 0)
	return err
}

// close gives the rules back: if no process needs them and no connection goes on that
// does, they become what they were.
func (l *localNet) close(needed bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	var err error
	if !needed {
		err = l.restore()
	}
	err = errors.Join(err, l.file.Close())
	l.file, l.checked = nil, time.Time{}
	if err != nil {
		return fmt.Errorf("restore rules of loopback: %w", err)
	}
	return nil
}

func (l *localNet) restore() error {
	err := flock(l.file, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil // others need them; the last one restores
	}
	if err != nil {
		return err
	}
	before, err := l.before()
	if err != nil {
		return err
	}
	err = l.ns.do(func() (err error) {
		for _, path := range loopbackRules {
			if old, ok := before[path]; ok {
				err = errors.Join(err, os.WriteFile(path, []byte(old), 0))
			}
		}
		return err
	})
	return errors.Join(err, os.Remove(l.file.Name()))
}
