package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestGroup(t *testing.T) {
	testkit.RequireTool(t, "sleep")
	parent := testkit.NewCgroup(t)
	g, err := Make(parent.Path, "service")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Make(parent.Path, "service"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("made twice: %v", err)
	}
	var pids []int
	var cmds []*exec.Cmd
	if err := os.Mkdir(filepath.Join(g.Dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		cmd := exec.Command("/bin/sleep", "1000")
		cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: g.FD()}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		pids, cmds = append(pids, cmd.Process.Pid), append(cmds, cmd)
	}
	got, err := g.Processes()
	slices.Sort(got)
	slices.Sort(pids)
	if err != nil || !slices.Equal(got, pids) {
		t.Errorf("got %v, %v, want %v", got, err, pids)
	}
	if dir, err := Of(pids[0]); err != nil || dir != g.Dir {
		t.Errorf("process is in %s, %v", dir, err)
	}
	info, err := os.Stat(g.Dir)
	if err != nil {
		t.Fatal(err)
	}
	id := info.Sys().(*syscall.Stat_t).Ino
	if dir, err := ByID(id); err != nil || dir != g.Dir {
		t.Errorf("%d is %s, %v", id, dir, err)
	}
	if ids, err := IDs(g.Dir); err != nil || len(ids) != 2 || !ids[id] {
		t.Errorf("got %v, %v", ids, err)
	}
	done := make(chan bool)
	go func() { // removing waits for them to be gone, and they for us
		for _, cmd := range cmds {
			_ = cmd.Wait()
		}
		close(done)
	}()
	if err := g.Remove(); err != nil {
		t.Error(err)
	}
	<-done
	if _, err := os.Stat(g.Dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Remove: %v", err)
	}
	if _, err := ByID(id); err == nil {
		t.Error("a cgroup that is gone was found")
	}
}

func TestOwn(t *testing.T) {
	parent := testkit.NewCgroup(t)
	parent.Join(t)
	if dir, err := Own(); err != nil || dir != parent.Path {
		t.Errorf("got %s, %v, want %s", dir, err, parent.Path)
	}
	if dir, err := Of(1 << 30); err == nil {
		t.Errorf("nobody is in %s", dir)
	}
}

// TestSweep: only what is old, empty and nobody's goes.
func TestSweep(t *testing.T) {
	parent := testkit.NewCgroup(t)
	dead := 1 << 30
	make := func(name string) string {
		dir := filepath.Join(parent.Path, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Remove(dir) })
		return dir
	}
	mine, fresh, other := make(fmt.Sprintf("x-%d", os.Getpid())), make(fmt.Sprintf("x-%d", dead)), make(fmt.Sprintf("y-%d", dead+1))
	old := make(fmt.Sprintf("x-%d", dead+2))
	before := time.Now().Add(-time.Hour)
	for _, dir := range []string{mine, other, old} {
		if err := os.Chtimes(dir, before, before); err != nil {
			t.Fatal(err)
		}
	}
	Sweep(parent.Path, "x-")
	for dir, want := range map[string]bool{mine: true, fresh: true, other: true, old: false} {
		if _, err := os.Stat(dir); (err == nil) != want {
			t.Errorf("%s: %v", filepath.Base(dir), err)
		}
	}
}
