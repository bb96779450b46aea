package testkit

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Nginx runs nginx in a namespace (nil: the test's) until the test ends,
// listening on addr; it answers any GET with 200 and a short body. It returns
// when connections are accepted.
func Nginx(t testing.TB, ns *NS, addr netip.AddrPort) {
	t.Helper()
	path := RequireTool(t, "nginx")
	dir := t.TempDir()
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, nginxConf, addr), 0o644); err != nil {
		t.Fatal(err)
	}
	ns.Start(t, exec.Command(path, "-p", dir, "-c", conf, "-e", "stderr", "-g", "daemon off;"))
	waitForPort(t, ns, addr)
}

// One process: it can be killed without leaving workers.
const nginxConf = `
master_process off;
pid nginx.pid;
error_log stderr warn;
events { worker_connections 4096; }
http {
	access_log off;
	keepalive_requests 1000000;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	large_client_header_buffers 4 32k;
	server {
		listen %s;
		location / { return 200 "hello\n"; }
	}
}
`

func waitForPort(t testing.TB, ns *NS, addr netip.AddrPort) {
	t.Helper()
	dial := func() error {
		c, err := net.DialTimeout("tcp", addr.String(), time.Second)
		if err == nil {
			c.Close()
		}
		return err
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		var err error
		if ns == nil {
			err = dial()
		} else {
			ns.Do(t, func() { err = dial() })
		}
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("wait for %v: %v", addr, err)
		}
	}
}
