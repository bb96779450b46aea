package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestGroup(t *testing.T) {
	testkit.RequireTool(t, "sleep")
	parent := testkit.NewCgroup(t)
	g, err := Make(parent.Path, "service-")
	if err != nil {
		t.Fatal(err)
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

func TestResolve(t *testing.T) {
	parent := testkit.NewCgroup(t)
	mount, err := testkit.CgroupMount()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{parent.Path, parent.Path + "/", strings.TrimPrefix(parent.Path, mount)} {
		if dir, err := Resolve(path); err != nil || dir != parent.Path {
			t.Errorf("%s: got %s, %v, want %s", path, dir, err, parent.Path)
		}
	}
	for _, path := range []string{"/nowhere", t.TempDir(), filepath.Join(parent.Path, "cgroup.none")} {
		if dir, err := Resolve(path); !errors.Is(err, ErrNone) {
			t.Errorf("%s: got %s, %v", path, dir, err)
		}
	}
}

func TestIsRoot(t *testing.T) {
	parent := testkit.NewCgroup(t)
	mount, err := testkit.CgroupMount()
	if err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]bool{mount: true, parent.Path: false, t.TempDir(): false} {
		if got := IsRoot(dir); got != want {
			t.Errorf("%s: %t", dir, got)
		}
	}
}

func TestWithin(t *testing.T) {
	for _, test := range []struct {
		dir, other string
		want       bool
	}{
		{"/a/b", "/a/b", true}, {"/a/b/c", "/a/b", true}, {"/a/bc", "/a/b", false}, {"/a", "/a/b", false}, {"/a", "/", true},
	} {
		if got := Within(test.dir, test.other); got != test.want {
			t.Errorf("%s in %s: %t", test.dir, test.other, got)
		}
	}
}

// TestNames: owners of the same name don't get into each other's way, as process 1 of two
// containers may.
func TestNames(t *testing.T) {
	parent := testkit.NewCgroup(t)
	var groups []*Group
	for _, want := range []string{"", ".1", ".2"} {
		g, err := Make(parent.Path, "x-")
		if err != nil {
			t.Fatal(err)
		}
		groups = append(groups, g)
		if name := fmt.Sprintf("x-%d%s", os.Getpid(), want); filepath.Base(g.Dir) != name {
			t.Errorf("got %s, want %s", g.Dir, name)
		}
	}
	if left := Sweep(parent.Path, "x-"); left != nil {
		t.Errorf("left is %v", left)
	}
	for _, g := range groups {
		if _, err := os.Stat(g.Dir); err != nil {
			t.Error("one that has an owner was swept")
		}
		if err := g.Remove(); err != nil {
			t.Error(err)
		}
	}
}

// TestSweep: only what is empty and nobody's goes.
func TestSweep(t *testing.T) {
	testkit.RequireTool(t, "sleep")
	parent := testkit.NewCgroup(t)
	make := func(name string) string {
		dir := filepath.Join(parent.Path, name)
		if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = os.Remove(filepath.Join(dir, "sub"))
			_ = os.Remove(dir)
		})
		return dir
	}
	other, dead := make("y-1"), make("x-1")
	mine, err := Make(parent.Path, "x-")
	if err != nil {
		t.Fatal(err)
	}
	used, err := Make(parent.Path, "x-")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/bin/sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: used.FD()}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if err := os.Remove(used.Dir); err != nil {
			t.Error(err)
		}
	})
	if err := used.fd.Close(); err != nil { // its owner dies
		t.Fatal(err)
	}
	left := Sweep(parent.Path, "x-")
	if len(left) != 1 || left[0] != (Leftover{used.Dir, 1}) {
		t.Errorf("left is %v", left)
	}
	for dir, want := range map[string]bool{mine.Dir: true, used.Dir: true, other: true, dead: false} {
		if _, err := os.Stat(dir); (err == nil) != want {
			t.Errorf("%s: %v", filepath.Base(dir), err)
		}
	}
	if err := mine.Remove(); err != nil {
		t.Error(err)
	}
}

// TestProcessesOfPassing lists processes while groups below come and go.
func TestProcessesOfPassing(t *testing.T) {
	parent := testkit.NewCgroup(t)
	over := make(chan struct{})
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		dir := filepath.Join(parent.Path, "passing")
		for {
			select {
			case <-over:
				return
			default:
				_ = os.Mkdir(dir, 0o755)
				_ = os.Remove(dir)
			}
		}
	}()
	for range 2000 {
		if _, err := (&Group{Dir: parent.Path}).Processes(); err != nil {
			t.Error(err)
			break
		}
	}
	close(over)
	<-gone
}
