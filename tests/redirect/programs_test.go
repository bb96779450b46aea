//go:build linux

package redirect

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

// The ports of servers.
const (
	pythonPort uint16 = 9501 + iota
	nodePort
	javaPort
	nginxPort
	proxyPort
	redisPort
)

// splicer is a proxy as one writes it in Go: the library splices. It listens on one
// port and dials another one: "FROM TO".
func splicer(ports string) {
	from, to, _ := strings.Cut(ports, " ")
	l, err := net.Listen("tcp", "127.0.0.1:"+from)
	if err != nil {
		panic(err)
	}
	for {
		c, err := l.Accept()
		if err != nil {
			panic(err)
		}
		go func() {
			defer c.Close()
			b, err := net.Dial("tcp", "127.0.0.1:"+to)
			if err != nil {
				return
			}
			defer b.Close()
			go func() {
				io.Copy(b, c)
				b.(*net.TCPConn).CloseWrite()
			}()
			io.Copy(c, b)
		}()
	}
}

func proxy(from, to uint16) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %d", proxyEnv, from, to))
	return cmd
}

const nginxConfig = `
daemon off;
master_process off;
pid nginx.pid;
user root;
error_log stderr warn;
events { worker_connections 1024; }
http {
	access_log off;
	client_max_body_size 1g;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	upstream python { server 127.0.0.1:%d; keepalive 4; }
	server {
		listen 127.0.0.1:%d;
		location /still { return 200 "still\n"; }
		location / {
			proxy_pass http://python;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
		}
		location /unbuffered/ {
			proxy_pass http://python;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_request_buffering off;
			proxy_buffering off;
		}
	}
}
`

func nginx(t *testing.T) *exec.Cmd {
	t.Helper()
	dir := t.TempDir()
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, nginxConfig, pythonPort, nginxPort), 0o644); err != nil {
		t.Fatal(err)
	}
	return exec.Command(testkit.RequireTool(t, "nginx"), "-p", dir, "-c", conf, "-e", "stderr")
}

// sizes of bodies: around those of buffers and of the mark, and far above.
var sizes = []int{0, 1, 100, 1023, 1024, 1025, 4000, 16 << 10, 70_000, 256 << 10, 300_000, 1 << 20, 1<<20 + 50_000, 3 << 20, 10 << 20}

// TestServers lets real servers echo bodies of all sizes, with and without proxies
// before them, over connections that are kept and over new ones.
func TestServers(t *testing.T) {
	s := startShort(t)
	python := exec.Command(testkit.RequireTool(t, "python3"), "testdata/echo.py", strconv.Itoa(int(pythonPort)))
	s.daemon(t, pythonPort, python)
	s.daemon(t, nginxPort, nginx(t))
	s.daemon(t, proxyPort, proxy(proxyPort, pythonPort))
	ways := []struct {
		name string
		url  string
	}{
		{"python", "http://" + at(pythonPort) + "/"},
		{"nginx and python", "http://" + at(nginxPort) + "/"},
		{"nginx, unbuffered", "http://" + at(nginxPort) + "/unbuffered/"},
		{"splicing proxy", "http://" + at(proxyPort) + "/"},
	}
	if node, err := exec.LookPath("node"); err == nil {
		s.daemon(t, nodePort, exec.Command(node, "testdata/echo.js", strconv.Itoa(int(nodePort))))
		ways = append(ways, struct{ name, url string }{"node", "http://" + at(nodePort) + "/"})
	}
	if java, err := exec.LookPath("java"); err == nil && !testing.Short() {
		s.daemon(t, javaPort, exec.Command(java, "-XX:TieredStopAtLevel=1", "testdata/Echo.java", strconv.Itoa(int(javaPort))))
		ways = append(ways, struct{ name, url string }{"java", "http://" + at(javaPort) + "/"})
	}
	s.Join(t)
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			kept := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}, Timeout: patience}
			defer kept.CloseIdleConnections()
			for round := range 2 {
				for _, n := range sizes {
					if err := echo(kept, way.url, n); err != nil {
						t.Fatalf("kept connection, round %d, %d bytes: %v", round, n, err)
					}
				}
			}
			for _, n := range sizes {
				fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
				if err := echo(fresh, way.url, n); err != nil {
					t.Fatalf("new connection, %d bytes: %v", n, err)
				}
			}
			curl(t, s, way.url)
		})
	}
	text := strings.Join(s.Interrupt(), "\n")
	for _, way := range []string{"short", "bulk", "backlog", "splices", "waits"} {
		if !strings.Contains(text, "\n  "+way) {
			t.Errorf("no direction went %s:\n%s", way, text)
		}
	}
}

// echo posts a body and wants exactly it back.
func echo(c *http.Client, url string, n int) error {
	body := make([]byte, n)
	src := rand.NewChaCha8([32]byte{byte(n)})
	src.Read(body)
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	// Heads that do and do not fill the buffers of servers.
	req.Header.Set("X-Filler", strings.Repeat("x", n%5000))
	res, err := c.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("after %d bytes: %w", len(got), err)
	}
	if !bytes.Equal(got, body) {
		return fmt.Errorf("got %d bytes, which are others", len(got))
	}
	return nil
}

// curl posts files, several over one connection.
func curl(t *testing.T, s *short, url string) {
	t.Helper()
	dir := t.TempDir()
	args := []string{"-sS", "--fail", "--max-time", "60"}
	for i, n := range sizes {
		body := make([]byte, n)
		rand.NewChaCha8([32]byte{byte(i)}).Read(body)
		name := filepath.Join(dir, strconv.Itoa(i))
		if err := os.WriteFile(name, body, 0o644); err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			args = append(args, "--next", "-sS", "--fail", "--max-time", "60")
		}
		args = append(args, "-H", "Expect:", "--data-binary", "@"+name, "-o", name+".got", url)
	}
	cmd := exec.Command(testkit.RequireTool(t, "curl"), args...)
	s.Use(t, cmd)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("curl: %v: %s", err, out)
	}
	for i := range sizes {
		name := filepath.Join(dir, strconv.Itoa(i))
		sent, err1 := os.ReadFile(name)
		got, err2 := os.ReadFile(name + ".got")
		if len(sent) == 0 { // nothing is written then
			continue
		}
		if err1 != nil || err2 != nil || !bytes.Equal(sent, got) {
			t.Errorf("curl, %d bytes: got %d others, %v, %v", len(sent), len(got), err1, err2)
		}
	}
}
