//go:build linux

package wake

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// machine is a target in this process that others switch on and off.
type machine struct {
	t *testing.T

	mu       sync.Mutex
	listener net.Listener
	starts   int
	work     sync.WaitGroup
}

func newMachine(t *testing.T) *machine {
	m := &machine{t: t}
	t.Cleanup(func() {
		m.off()
		m.work.Wait()
	})
	return m
}

func (m *machine) on() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.listener != nil {
		return
	}
	l, err := net.Listen("tcp", at(back))
	if err != nil {
		m.t.Error(err)
		return
	}
	m.listener = l
	m.starts++
	m.work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			m.work.Go(func() {
				defer c.Close()
				_, _ = io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c})
			})
		}
	})
}

func (m *machine) off() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.listener != nil {
		m.listener.Close()
		m.listener = nil
	}
}

func (m *machine) runs() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.listener != nil
}

func (m *machine) started() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.starts
}

// ServeHTTP is the API of fly.io and that of Docker, as far as they are needed here.
func (m *machine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	const fly, docker = "/v1/apps/shop/machines/148e", "/containers/web"
	what, isFly := strings.CutPrefix(r.URL.Path, fly)
	if !isFly {
		what = strings.TrimPrefix(r.URL.Path, docker)
	}
	if isFly && r.Header.Get("Authorization") != "Bearer secret" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	switch r.Method + what {
	case "POST/start":
		m.on()
	case "POST/stop":
		if isFly && r.Header.Get("Fly-Machine-Lease-Nonce") != "n1" {
			w.WriteHeader(http.StatusConflict)
			return
		}
		m.off()
	case "POST/lease":
		fmt.Fprint(w, `{"status":"success","data":{"nonce":"n1"}}`)
		return
	case "GET":
		state := map[bool]string{true: "started", false: "stopped"}[m.runs()]
		fmt.Fprintf(w, `{"state":%q,"instance_id":"01H"}`, state)
		return
	case "POST/wait":
		for m.runs() && r.Context().Err() == nil {
			time.Sleep(time.Millisecond)
		}
	case "GET/json":
		fmt.Fprintf(w, `{"State":{"Running":%t}}`, m.runs())
		return
	case "GET/wait", "DELETE/lease":
	default:
		m.t.Errorf("%s %s", r.Method, r.URL)
		w.WriteHeader(http.StatusNotFound)
		return
	}
	fmt.Fprint(w, `{}`)
}

// TestAPIs starts and stops by the APIs of others.
func TestAPIs(t *testing.T) {
	for _, target := range []string{"fly:shop/148e", "docker:web"} {
		t.Run(target, func(t *testing.T) {
			m := newMachine(t)
			api := httptest.NewUnstartedServer(m)
			if strings.HasPrefix(target, "docker") {
				socket := filepath.Join(t.TempDir(), "docker.sock")
				l, err := net.Listen("unix", socket)
				if err != nil {
					t.Fatal(err)
				}
				api.Listener.Close()
				api.Listener = l
				t.Setenv("DOCKER_HOST", "unix://"+socket)
			}
			api.Start()
			t.Cleanup(api.Close)
			t.Setenv("FLY_API_HOSTNAME", api.URL)
			t.Setenv("FLY_API_TOKEN", "secret")

			p := startWake(t, "--start", target, "--idle", "50ms")
			const rounds = 3
			for range rounds {
				if err := talk(); err != nil {
					t.Fatal(err)
				}
				p.Expect("target stopped in")
				nothingLeft(t)
			}
			if n := m.started(); n != rounds {
				t.Errorf("%d starts, want %d", n, rounds)
			}
			if err := talk(); err != nil {
				t.Fatal(err)
			}
			p.Interrupt()
		})
	}
}

// TestWakeOnLAN wakes a machine that does not hear the first packet.
func TestWakeOnLAN(t *testing.T) {
	m := newMachine(t)
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	m.work.Go(func() {
		b := make([]byte, 200)
		for packets := 1; ; packets++ {
			n, _, err := l.ReadFrom(b)
			switch {
			case err != nil:
				return
			case n != 102:
				t.Errorf("a packet of %d bytes", n)
			case packets == 2:
				m.on()
			}
		}
	})
	p := startWake(t, "--start", "wol:00:1b:21:0a:0b:0c@"+l.LocalAddr().String(), "--timeout", patience.String())
	began := time.Now()
	if err := talk(); err != nil {
		t.Error(err)
	}
	t.Logf("awake after %v", time.Since(began))
	p.Interrupt()
	l.Close()
}
