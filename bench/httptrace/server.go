package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// addresses of the server, in both families.
var addresses = []string{"127.0.0.1:8080", "[::1]:8080"}

const nginxConf = `
master_process off;
pid nginx.pid;
error_log stderr warn;
events { worker_connections 4096; }
http {
	access_log off;
	keepalive_requests 1000000000;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	server {
		listen 127.0.0.1:8080;
		listen [::1]:8080;
		location / { return 200 "hello\n"; }
	}
}
`

// process is a child that is told to end by SIGINT.
type process struct {
	cmd *exec.Cmd
	dir string
}

func startServer() (*process, error) {
	dir, err := os.MkdirTemp("", "httptrace")
	if err != nil {
		return nil, err
	}
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, []byte(nginxConf), 0o644); err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command("nginx", "-p", dir, "-c", conf, "-e", "stderr", "-g", "daemon off;"), dir: dir}
	p.cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	if p.cmd.Err != nil {
		p.cmd = exec.Command("/usr/sbin/nginx", p.cmd.Args[1:]...)
	}
	p.cmd.Stderr = os.Stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start nginx: %w", err)
	}
	for range 200 {
		if c, err := net.Dial("tcp", addresses[0]); err == nil {
			return p, c.Close()
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.stop()
	return nil, fmt.Errorf("start nginx: it does not listen")
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGINT)
	_ = p.cmd.Wait()
	_ = os.RemoveAll(p.dir)
}

// cpu is the CPU time that the process has used.
func (p *process) cpu() (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	// After the name in brackets: state, then utime and stime as fields 12 and 13.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	var ticks time.Duration
	for _, f := range fields[11:13] {
		n, err := strconv.Atoi(string(f))
		if err != nil {
			return 0, err
		}
		ticks += time.Duration(n)
	}
	const userHZ = 100 // in the kernel's ABI
	return ticks * time.Second / userHZ, nil
}
