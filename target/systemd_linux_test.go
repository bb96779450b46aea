package target

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

// manager is systemd as far as it is used here, on a bus of its own.
type manager struct {
	conn *dbus.Conn

	mu    sync.Mutex
	jobs  uint32
	asked []string
}

const (
	managerName = "org.freedesktop.systemd1"
	managerPath = "/org/freedesktop/systemd1"
	managerFace = "org.freedesktop.systemd1.Manager"
)

// Subscribe is what clients call before they wait for signals.
func (m *manager) Subscribe() *dbus.Error { return nil }

// StartUnit starts a unit.
func (m *manager) StartUnit(name, mode string) (dbus.ObjectPath, *dbus.Error) {
	return m.job("start", name, mode)
}

// StopUnit stops a unit.
func (m *manager) StopUnit(name, mode string) (dbus.ObjectPath, *dbus.Error) {
	return m.job("stop", name, mode)
}

func (m *manager) job(verb, name, mode string) (dbus.ObjectPath, *dbus.Error) {
	if name == "nothing.service" {
		return "", dbus.NewError("org.freedesktop.systemd1.NoSuchUnit", []any{"Unit nothing.service not found."})
	}
	m.mu.Lock()
	m.jobs++
	id := m.jobs
	m.asked = append(m.asked, verb+" "+name+" "+mode)
	m.mu.Unlock()
	path := dbus.ObjectPath(fmt.Sprintf("%s/job/%d", managerPath, id))
	result := "done"
	switch name {
	case "fails.service":
		result = "failed"
	case "slow.service":
		return path, nil
	}
	go func() {
		time.Sleep(5 * time.Millisecond) // behind the answer
		_ = m.conn.Emit(managerPath, managerFace+".JobRemoved", id, path, name, result)
	}()
	return path, nil
}

// startManager starts a bus with a manager on it.
func startManager(t *testing.T) *manager {
	t.Helper()
	tool := testkit.RequireTool(t, "dbus-daemon")
	dir := t.TempDir()
	socket, file := filepath.Join(dir, "bus"), filepath.Join(dir, "bus.conf")
	if err := os.WriteFile(file, []byte(testkit.BusConfig(socket)), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(tool, "--config-file="+file, "--nofork")
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if c, err := net.Dial("unix", socket); err == nil {
			c.Close()
			break
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+socket)
	conn, err := dbus.ConnectSystemBus()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	m := &manager{conn: conn}
	if err := conn.Export(m, managerPath, managerFace); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.RequestName(managerName, dbus.NameFlagDoNotQueue); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestUnit(t *testing.T) {
	m := startManager(t)
	u := &Unit{Name: "sshd"}
	for _, f := range []func(context.Context) error{u.Start, u.Stop} {
		if err := f(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := (&Unit{Name: "x.socket"}).Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.mu.Lock()
	asked := strings.Join(m.asked, ", ")
	m.mu.Unlock()
	if got, want := asked, "start sshd.service replace, stop sshd.service replace, start x.socket replace"; got != want {
		t.Errorf("asked for %s, want %s", got, want)
	}
	for name, want := range map[string]string{
		"nothing": "start unit nothing.service: Unit nothing.service not found.",
		"fails":   "start unit fails.service: the unit failed; systemctl status tells more",
		"slow":    "start unit slow.service: the job of systemd takes too long: context deadline exceeded",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		if err := (&Unit{Name: name}).Start(ctx); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
		cancel()
	}
}

func TestNoSystemd(t *testing.T) {
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere/bus")
	err := (&Unit{Name: "sshd"}).Stop(t.Context())
	if err == nil || !strings.HasPrefix(err.Error(), "stop unit sshd.service: ask systemd: ") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
}

func TestUnitName(t *testing.T) {
	for name, want := range map[string]string{
		"sshd": "sshd.service", "sshd.service": "sshd.service", "x.socket": "x.socket",
		"app@1.2": "app@1.2.service", "my.app": "my.app.service", "dev-disk.mount": "dev-disk.mount",
	} {
		if got := (&Unit{Name: name}).name(); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

// properties is the face of units by which they tell of themselves.
type properties struct {
	mu     sync.Mutex
	states []string // one after the other; the last one stays
}

// Get returns the unit's state.
func (p *properties) Get(_, name string) (dbus.Variant, *dbus.Error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if name != "ActiveState" {
		return dbus.Variant{}, dbus.NewError("org.freedesktop.DBus.Error.UnknownProperty", nil)
	}
	state := p.states[0]
	if len(p.states) > 1 {
		p.states = p.states[1:]
	}
	return dbus.MakeVariant(state), nil
}

// TestUnitWait: a unit that systemd starts again has not ended.
func TestUnitWait(t *testing.T) {
	m := startManager(t)
	for _, test := range []struct {
		states string
		want   string
	}{
		{"activating active failed activating active inactive inactive", ""},
		{"active failed failed", "unit web.service failed; systemctl status tells more"},
		{"active", "unit web.service takes too long: context deadline exceeded"},
	} {
		p := &properties{states: strings.Fields(test.states)}
		const path = "/org/freedesktop/systemd1/unit/web_2eservice"
		if err := m.conn.Export(p, path, "org.freedesktop.DBus.Properties"); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := t.Context(), context.CancelFunc(func() {})
		if test.states == "active" {
			ctx, cancel = context.WithTimeout(ctx, 200*time.Millisecond)
		}
		err := (&Unit{Name: "web"}).Wait(ctx)
		cancel()
		if got := fmt.Sprint(err); test.want == "" && err != nil || test.want != "" && got != test.want {
			t.Errorf("%s: got %v, want %q", test.states, err, test.want)
		}
		if test.want == "" && len(p.states) > 1 {
			t.Errorf("%s: not waited for %s", test.states, p.states)
		}
	}
}
