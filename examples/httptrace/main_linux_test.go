package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/command"
)

func TestMain(m *testing.M) { command.Main(m, main) }

// serve starts a server on a free port of all addresses.
func serve(t *testing.T) (port string) {
	t.Helper()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	l, err := net.Listen("tcp", "[::]:0")
	if err != nil {
		t.Fatal(err)
	}
	server.Listener.Close()
	server.Listener = l
	server.Start()
	t.Cleanup(server.Close)
	_, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func TestTrace(t *testing.T) {
	testkit.RequireRoot(t)
	port := serve(t)
	p := command.Start(t)
	p.Expect("^tracing requests on lo")
	get(t, "http://127.0.0.1:"+port+"/foo")
	p.Expect(`^127\.0\.0\.1 - GET /foo HTTP/1\.1$`)
	get(t, "http://[::1]:"+port+"/bar?q=1")
	p.Expect(`^::1 - GET /bar\?q=1 HTTP/1\.1$`)
	p.Interrupt()
	p.Expect("^2 requests, 0 lost$")
}

func TestPort(t *testing.T) {
	testkit.RequireRoot(t)
	port, other := serve(t), serve(t)
	p := command.Start(t, "-port", port)
	p.Expect("^tracing requests on lo")
	get(t, "http://127.0.0.1:"+other+"/unseen")
	get(t, "http://127.0.0.1:"+port+"/seen")
	p.Expect("GET /seen HTTP")
	p.Interrupt()
	p.Expect("^1 requests, 0 lost$")
}

func get(t *testing.T, url string) {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		t.Fatal(err)
	}
}

func TestRefuses(t *testing.T) {
	testkit.RequireRoot(t)
	command.Fails(t, "trace port 65536: there is none above 65535", "-port", "65536")
	command.Fails(t, `no interface "nowhere"`, "-i", "nowhere")
}

func TestRequestLine(t *testing.T) {
	for payload, want := range map[string]string{
		"GET /foo HTTP/1.1\r\nHost: a\r\n":  "GET /foo HTTP/1.1",
		"GET /foo HTTP/1.0\n":               "GET /foo HTTP/1.0",
		"GET /cut":                          "",
		"GET /\x1b[2J HTTP/1.1\r\n":         "",
		"GET /foo HTTP/1.1\x1b[2J":          "GET /foo HTTP/1.1",
		"":                                  "",
		"HTTP/1.1 200 GET / HTTP/1.1 \r\n ": "",
	} {
		if got := string(requestLine.Find([]byte(payload))); got != want {
			t.Errorf("%q: got %q, want %q", payload, got, want)
		}
	}
}
