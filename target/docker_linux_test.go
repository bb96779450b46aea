package target

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// daemon serves Docker's API as far as it is used here, and returns its socket and
// what it was asked.
func daemon(t *testing.T) (socket string, asked func() []string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "docker.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex // of what follows
	var list []string
	running := map[string]bool{"web": false}
	mux := http.NewServeMux()
	handle := func(verb string, to bool) {
		mux.HandleFunc("POST /containers/{name}/"+verb, func(w http.ResponseWriter, r *http.Request) {
			name := r.PathValue("name")
			mu.Lock()
			defer mu.Unlock()
			list = append(list, strings.TrimSuffix(verb+" "+name+" "+r.URL.RawQuery, " "))
			is, ok := running[name]
			switch {
			case name == "slow":
				mu.Unlock()
				<-r.Context().Done()
				mu.Lock()
			case name == "broken":
				http.Error(w, "not JSON", http.StatusInternalServerError)
			case !ok:
				w.WriteHeader(http.StatusNotFound)
				fmt.Fprintf(w, `{"message":"No such container: %s"}`, name)
			case is == to:
				w.WriteHeader(http.StatusNotModified)
			default:
				running[name] = to
				w.WriteHeader(http.StatusNoContent)
			}
		})
	}
	handle("start", true)
	handle("stop", false)
	server := &http.Server{Handler: mux}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { server.Close() })
	return socket, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return list
	}
}

func TestContainer(t *testing.T) {
	socket, asked := daemon(t)
	c := &Container{Name: "web", Socket: socket, Grace: 1500 * time.Millisecond}
	for _, f := range []func(context.Context) error{c.Start, c.Start, c.Stop, c.Stop} {
		if err := f(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := strings.Join(asked(), ", "), "start web, start web, stop web t=2, stop web t=2"; got != want {
		t.Errorf("asked for %s, want %s", got, want)
	}
	for name, want := range map[string]string{
		"nothing": "stop container nothing: the daemon says: No such container: nothing",
		"broken":  "stop container broken: the daemon answers 500 Internal Server Error",
		"slow":    "stop container slow: the daemon at " + socket + " takes too long: context deadline exceeded",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		if err := (&Container{Name: name, Socket: socket}).Stop(ctx); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
		cancel()
	}
}

func TestNoDocker(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
	err := (&Container{Name: "web"}).Start(t.Context())
	if want := "start container web: ask Docker: dial unix /nowhere/docker.sock: connect: no such file or directory"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	t.Setenv("DOCKER_HOST", "tcp://localhost:2375")
	if err := (&Container{Name: "web"}).Start(t.Context()); err == nil || !strings.Contains(err.Error(), "not unix://PATH") {
		t.Errorf("got %v", err)
	}
}

// TestContainerWait: a container that Docker starts again has not ended, and a daemon that
// is not there says nothing.
func TestContainerWait(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "docker.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	states := []string{
		`{"State":{"Running":true}}`, `{"State":{"Restarting":true,"ExitCode":1}}`, "", `{"State":{"Running":false,"ExitCode":7}}`,
	}
	var mu sync.Mutex
	asked := 0
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		switch r.Method + " " + r.URL.Path {
		case "POST /containers/web/wait":
			fmt.Fprint(w, `{"StatusCode":1}`)
		case "GET /containers/web/json":
			asked++
			if states[asked-1] == "" {
				panic(http.ErrAbortHandler) // a daemon that ends
			}
			fmt.Fprint(w, states[asked-1])
		case "POST /containers/slow/wait":
			mu.Unlock()
			<-r.Context().Done()
			mu.Lock()
		default:
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"message":"No such container"}`)
		}
	})}
	go func() { _ = server.Serve(l) }()
	defer server.Close()
	for name, want := range map[string]string{
		"web": "container web has ended with status 7",
		"db":  "wait for container db: the daemon says: No such container",
	} {
		if err := (&Container{Name: name, Socket: socket}).Wait(t.Context()); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
	if asked != len(states) {
		t.Errorf("asked %d times, want %d", asked, len(states))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := (&Container{Name: "slow", Socket: socket}).Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}
