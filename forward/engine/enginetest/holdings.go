//go:build linux

package enginetest

import (
	"fmt"
	"os"
	"runtime"
	"sort"
	"strings"
	"time"
)

// stock is what the process holds.
type stock struct {
	goroutines int
	files      map[string]int // by kind
}

// holdings counts goroutines and file descriptors.
func holdings() stock {
	s := stock{goroutines: runtime.NumGoroutine(), files: make(map[string]int)}
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		target, err := os.Readlink("/proc/self/fd/" + e.Name())
		// The runtime's poller opens these when it is first used.
		if err != nil || target == "anon_inode:[eventpoll]" || target == "anon_inode:[eventfd]" {
			continue
		}
		kind, _, _ := strings.Cut(target, ":[")
		s.files[kind]++
	}
	return s
}

// waitForReturn waits until no more is held than before, but for a slack.
func (before stock) waitForReturn(slack int, limit time.Duration) error {
	var err error
	for deadline := time.Now().Add(limit); ; time.Sleep(10 * time.Millisecond) {
		if err = before.compare(holdings(), slack); err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

// compare tells what there is now in excess of what there was, and of a slack.
func (before stock) compare(now stock, slack int) error {
	var more []string
	if n := now.goroutines - before.goroutines; n > slack {
		more = append(more, fmt.Sprintf("%d goroutines:\n%s", n, stacks()))
	}
	for kind, n := range now.files {
		if n -= before.files[kind]; n > slack {
			more = append(more, fmt.Sprintf("%d files (%s)", n, kind))
		}
	}
	if len(more) == 0 {
		return nil
	}
	sort.Strings(more)
	return fmt.Errorf("more is held than before: %s", strings.Join(more, ", "))
}

func stacks() string {
	b := make([]byte, 64<<10)
	return string(b[:runtime.Stack(b, true)])
}
