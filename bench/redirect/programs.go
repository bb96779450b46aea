package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"time"
)

// programs are rows of real servers and the tools that come with them.
var programs = []row{
	{"redis", "redis-benchmark", measureRedis},
	{"pgbench", "pgbench -S", measurePostgres},
	{"wrk", "wrk and nginx", measureNginx},
}

// served starts a server in a group, runs a client there, and finds a rate in what that
// prints.
func served(ctx context.Context, group string, server, client *exec.Cmd, port int, pattern string) (figures, error) {
	server, done, err := in(group, server)
	if err != nil {
		return nil, err
	}
	defer done()
	if err := server.Start(); err != nil {
		return nil, err
	}
	defer func() {
		_ = server.Process.Signal(syscall.SIGINT)
		_ = server.Wait()
	}()
	if err := listens(ctx, port); err != nil {
		return nil, fmt.Errorf("wait for %s: %w", server.Args[0], err)
	}
	return rate(group, client, pattern)
}

// rate runs a client in a group.
func rate(group string, client *exec.Cmd, pattern string) (figures, error) {
	client, done, err := in(group, client)
	if err != nil {
		return nil, err
	}
	defer done()
	out, err := client.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", client.Args[0], err, out)
	}
	found := regexp.MustCompile(pattern).FindAllSubmatch(out, -1)
	if found == nil {
		return nil, fmt.Errorf("%s: no rate in %s", client.Args[0], out)
	}
	n, err := strconv.ParseFloat(string(found[len(found)-1][1]), 64)
	return figures{"per s": n}, err
}

// listens waits until a port is open.
func listens(ctx context.Context, port int) error {
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		c, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return c.Close()
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
	}
}

const port = 9700

func measureRedis(ctx context.Context, group string, seconds float64) (figures, error) {
	server := exec.CommandContext(ctx, "redis-server", "--port", strconv.Itoa(port), "--save", "", "--daemonize", "no")
	requests := strconv.Itoa(int(seconds * 100_000))
	client := exec.CommandContext(ctx, "redis-benchmark", "-p", strconv.Itoa(port), "-c", "16", "-d", "64", "-n", requests, "-t", "set", "-q")
	return served(ctx, group, server, client, port, `([0-9.]+) requests per second`)
}

const nginxConf = `
daemon off;
master_process off;
pid nginx.pid;
error_log stderr error;
events { worker_connections 1024; }
http {
	access_log off;
	keepalive_requests 100000000;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	root .;
	server { listen 127.0.0.1:%d; }
}
`

func measureNginx(ctx context.Context, group string, seconds float64) (figures, error) {
	dir, err := os.MkdirTemp("", "waggle-bench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	conf := filepath.Join(dir, "nginx.conf")
	err = errors.Join(os.WriteFile(conf, fmt.Appendf(nil, nginxConf, port), 0o644),
		os.WriteFile(filepath.Join(dir, "page"), make([]byte, 1024), 0o644))
	if err != nil {
		return nil, err
	}
	server := exec.CommandContext(ctx, "nginx", "-p", dir, "-c", conf, "-e", "stderr")
	client := exec.CommandContext(ctx, "wrk", "-t", "1", "-c", "16", "-d", fmt.Sprintf("%ds", max(1, int(seconds))), fmt.Sprintf("http://127.0.0.1:%d/page", port))
	return served(ctx, group, server, client, port, `Requests/sec:\s+([0-9.]+)`)
}

// measurePostgres makes a database in a temporary directory; the server refuses to run as
// root.
func measurePostgres(ctx context.Context, group string, seconds float64) (figures, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(found) == 0 {
		return nil, errors.New("find PostgreSQL: it is not installed")
	}
	bin := found[len(found)-1]
	who, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err1 := strconv.Atoi(who.Uid)
	gid, err2 := strconv.Atoi(who.Gid)
	dir, err3 := os.MkdirTemp("", "waggle-bench-")
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := os.Chown(dir, uid, gid); err != nil {
		return nil, err
	}
	as := func(args ...string) *exec.Cmd {
		return exec.CommandContext(ctx, "setpriv", append([]string{"--reuid", who.Uid, "--regid", who.Gid, "--clear-groups"}, args...)...)
	}
	if out, err := as(filepath.Join(bin, "initdb"), "-D", dir, "-A", "trust", "--no-sync").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	server := as(filepath.Join(bin, "postgres"), "-D", dir, "-p", strconv.Itoa(port), "-k", dir, "-h", "127.0.0.1", "-F")
	connect := []string{"-h", "127.0.0.1", "-p", strconv.Itoa(port), "-U", "postgres", "postgres"}
	script := fmt.Sprintf(`for i in 1 2 3 4 5 6 7 8 9; do %[1]s -i -q "$@" && break; sleep 0.5; done; exec %[1]s -S -c 8 -T %[2]d "$@"`, filepath.Join(bin, "pgbench"), max(1, int(seconds)))
	client := exec.CommandContext(ctx, "sh", append([]string{"-c", script, "sh"}, connect...)...)
	return served(ctx, group, server, client, port, `tps = ([0-9.]+)`)
}
