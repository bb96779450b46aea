//go:build linux

package forward

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

// The ports of the servers behind the forwarder.
const (
	nginxPort    uint16 = 9080
	alphaPort    uint16 = 9081 // TLS, alpha.example.org
	betaPort     uint16 = 9082 // TLS, beta.example.org
	sshPort      uint16 = 9022
	redisPort    uint16 = 9379
	postgresPort uint16 = 9432
	iperfPort    uint16 = 9201
	returnPort   uint16 = 9202 // iperf3 again, which serves one client at a time
)

// daemon runs a server until the test ends, and returns when it listens.
func daemon(t *testing.T, port uint16, cmd *exec.Cmd) {
	t.Helper()
	(*testkit.NS)(nil).Start(t, cmd)
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	eventually(t, cmd.Args[0]+" to listen", func() bool { return listens(t, port) })
}

const nginxConfig = `
daemon off;
master_process off;
pid nginx.pid;
user root;
error_log stderr warn;
events { worker_connections 8192; }
http {
	access_log off;
	sendfile on;
	client_max_body_size 1g;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	keepalive_requests 1000000;
	root files;
	server {
		listen 127.0.0.1:%d;
		location /upload/ { dav_methods PUT; create_full_put_path on; }
		location /hello { return 200 "hello\n"; }
	}
	server {
		listen 127.0.0.1:%d ssl;
		ssl_certificate alpha.pem;
		ssl_certificate_key alpha.pem;
		location / { return 200 "alpha\n"; }
	}
	server {
		listen 127.0.0.1:%d ssl;
		ssl_certificate beta.pem;
		ssl_certificate_key beta.pem;
		location / { return 200 "beta\n"; }
	}
}
`

// startNginx serves files, takes uploads, and speaks TLS under two names. It returns
// its directory, which has the files and the authority's certificate, ca.pem.
func startNginx(t *testing.T) string {
	t.Helper()
	path := testkit.RequireTool(t, "nginx")
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "files", "upload"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "nginx.conf"), fmt.Sprintf(nginxConfig, nginxPort, alphaPort, betaPort))
	makeCertificates(t, dir, "alpha", "beta")
	daemon(t, nginxPort, exec.Command(path, "-p", dir, "-c", "nginx.conf", "-e", "stderr"))
	return dir
}

// makeCertificates makes an authority, ca.pem, and for each name a certificate for
// NAME.example.org with its key, NAME.pem.
func makeCertificates(t *testing.T, dir string, names ...string) {
	t.Helper()
	key := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	template := func(serial int64, name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		}
	}
	sign := func(cert, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) []byte {
		der, err := x509.CreateCertificate(rand.Reader, cert, parent, &key.PublicKey, parentKey)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	authority, authorityKey := template(1, "test authority"), key()
	authority.IsCA, authority.BasicConstraintsValid, authority.KeyUsage = true, true, x509.KeyUsageCertSign
	write(t, filepath.Join(dir, "ca.pem"), string(sign(authority, authority, authorityKey, authorityKey)))
	for i, name := range names {
		cert, k := template(int64(i)+2, name), key()
		cert.DNSNames = []string{name + ".example.org"}
		der, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			t.Fatal(err)
		}
		text := append(sign(cert, authority, k, authorityKey), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...)
		write(t, filepath.Join(dir, name+".pem"), string(text))
	}
}

// startSSH runs sshd and returns the options with which ssh and scp log in.
func startSSH(t *testing.T) []string {
	t.Helper()
	s := testkit.NewSSHD(t, fmt.Sprint(sshPort))
	daemon(t, sshPort, exec.Command(s.Args[0], s.Args[1:]...))
	return s.Options
}

func startRedis(t *testing.T) {
	t.Helper()
	daemon(t, redisPort, exec.Command(testkit.RequireTool(t, "redis-server"),
		"--port", strconv.Itoa(int(redisPort)), "--bind", "127.0.0.1", "--save", "", "--dir", t.TempDir()))
}

// startPostgres makes a database cluster and serves it. PostgreSQL does not run as
// root, so its user gets a directory.
func startPostgres(t *testing.T) {
	t.Helper()
	initdb, postgres := testkit.RequireTool(t, "initdb"), testkit.RequireTool(t, "postgres")
	who, err := user.Lookup("postgres")
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(who.Uid)
	gid, _ := strconv.Atoi(who.Gid)
	dir, err := os.MkdirTemp("", "waggle-postgres-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	as := func(cmd *exec.Cmd) *exec.Cmd {
		cmd.Dir = dir
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
		return cmd
	}
	data := filepath.Join(dir, "data")
	if out, err := as(exec.Command(initdb, "-D", data, "-A", "trust", "-U", "postgres", "-N", "--no-instructions")).CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v: %s", err, out)
	}
	daemon(t, postgresPort, as(exec.Command(postgres, "-D", data, "-k", dir, "-h", "127.0.0.1",
		"-p", strconv.Itoa(int(postgresPort)), "-c", "fsync=off")))
}

func startIperf(t *testing.T) {
	t.Helper()
	for _, port := range []uint16{iperfPort, returnPort} {
		daemon(t, port, exec.Command(testkit.RequireTool(t, "iperf3"), "-s", "-B", "127.0.0.1", "-p", strconv.Itoa(int(port))))
	}
}
