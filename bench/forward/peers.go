package main

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"
)

// The addresses of the forwarder and of what is behind it.
var (
	front   = netip.MustParseAddrPort("127.0.0.1:8000")
	backend = netip.MustParseAddrPort("127.0.0.1:9000")
)

// peer is a forwarder. The texts are templates filled with params; the
// command runs in Dir.
type peer struct {
	name    string
	command string
	files   map[string]string
	pkg     string // Debian's, that has it
	idle    int    // how many idle connections it is given; 0 for all
	direct  bool   // there is no forwarder
}

var peers = []peer{
	{name: "direct", direct: true},
	waggle("auto", 0),
	waggle("packet", 0),
	waggle("splice", 0),
	waggle("sockmap", 8000), // of its 8192
	waggle("uring", 4000),   // of 2048 for each of two rings
	waggle("copy", 0),
	{name: "haproxy", pkg: "haproxy", command: "haproxy -db -f haproxy.cfg",
		files: map[string]string{"haproxy.cfg": haproxy("")}},
	// option splice-auto hardly ever decides to splice such streams.
	{name: "haproxy-splice", pkg: "haproxy", command: "haproxy -db -f haproxy.cfg",
		files: map[string]string{"haproxy.cfg": haproxy("option splice-request\n\toption splice-response")}},
	{name: "nginx", pkg: "libnginx-mod-stream", command: "nginx -p {{.Dir}} -c nginx.conf -e stderr",
		files: map[string]string{"nginx.conf": nginx}},
	{name: "socket-proxyd", pkg: "systemd", command: socketProxyd},
	{name: "socat", pkg: "socat", idle: 500,
		command: "socat TCP-LISTEN:{{.Front.Port}},bind={{.Front.Addr}},fork,reuseaddr,backlog=4096 TCP:{{.Backend}}"},
}

// waggle is waggle forward with one of its engines, which takes so many connections
// at a time, 0 for any number.
func waggle(engine string, idle int) peer {
	return peer{name: engine, idle: idle, command: "{{.Waggle}} forward --listen={{.Front}} --to={{.Backend}} --log=none --engine=" + engine}
}

func haproxy(option string) string {
	return `global
	nbthread 2
	maxconn {{.Connections}}
	maxpipes 500
defaults
	mode tcp
	` + option + `
	timeout connect 5s
	timeout client 1h
	timeout server 1h
listen forward
	bind {{.Front}}
	server backend {{.Backend}}
`
}

const nginx = `load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
pid nginx.pid;
user root;
worker_processes 2;
error_log stderr error;
events { worker_connections {{.Files}}; }
stream {
	server {
		listen {{.Front}} backlog=4096;
		proxy_pass {{.Backend}};
		proxy_timeout 1h;
	}
}
`

// systemd passes the listening socket as file 3, and the process it is meant for
// by its number (sd_listen_fds(3)).
const socketProxyd = "sh -c LISTEN_FDS=1\tLISTEN_PID=$$\texec\t/lib/systemd/systemd-socket-proxyd\t--connections-max={{.Connections}}\t{{.Backend}}"

func (p *peer) String() string { return p.name }

// params are what the templates are filled with.
type params struct {
	Front, Backend netip.AddrPort
	Dir, Waggle    string
	Files          int // the limit of open files
	Connections    int // how many there are at most
}

func fill(text string, p params) (string, error) {
	t, err := template.New("peer").Parse(text)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, p)
	return b.String(), err
}

// prepare writes a peer's files and makes its command.
func (p *peer) prepare(v params) (*exec.Cmd, error) {
	for name, text := range p.files {
		text, err := fill(text, v)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(v.Dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	line, err := fill(p.command, v)
	if err != nil {
		return nil, err
	}
	args := strings.Split(line, " ")
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "\t", " ")
	}
	path, err := find(args[0])
	if err != nil && p.pkg != "" {
		return nil, fmt.Errorf("find %s: not installed; apt-get install %s", args[0], p.pkg)
	}
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, args[1:]...)
	cmd.Dir = v.Dir
	return cmd, nil
}

// find looks for a program where daemons live, too.
func find(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	return exec.LookPath(filepath.Join("/usr/sbin", name))
}
