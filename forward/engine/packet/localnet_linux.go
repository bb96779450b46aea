package packet

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"sync"
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

// localNet relaxes the rules for loopback when that is needed.
type localNet struct {
	ns *netNS

	mu      sync.Mutex
	relaxed bool
	before  map[string][]byte // the settings that were different
}

// relax sees to it that the rules allow such packets.
func (l *localNet) relax() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.relaxed {
		return nil
	}
	before := map[string][]byte{}
	err := l.ns.do(func() error {
		for _, path := range loopbackRules {
			old, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if old = bytes.TrimSpace(old); string(old) == "1" {
				continue
			}
			if err := os.WriteFile(path, []byte("1"), 0); err != nil {
				return err
			}
			before[path] = old
		}
		return nil
	})
	l.before = before
	if err != nil {
		return fmt.Errorf("relax rules of loopback: %w", err)
	}
	l.relaxed = true
	return nil
}

// restore puts back what was there.
func (l *localNet) restore() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := maps.Clone(l.before)
	l.before, l.relaxed = nil, false
	if len(before) == 0 {
		return nil
	}
	err := l.ns.do(func() (err error) {
		for path, old := range before {
			err = errors.Join(err, os.WriteFile(path, old, 0))
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("restore rules of loopback: %w", err)
	}
	return nil
}
