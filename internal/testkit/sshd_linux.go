package testkit

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// SSHD is an OpenSSH server that a test may start, and whoever can log in.
type SSHD struct {
	Args    []string // the server's command, which stays in the foreground and logs to stderr
	Options []string // of ssh and scp; it is root who logs in
}

// NewSSHD prepares a server on 127.0.0.1, with keys of its own.
func NewSSHD(t testing.TB, port string) *SSHD {
	t.Helper()
	path := RequireTool(t, "sshd") // it wants to be called by its whole path
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"host", "user"} {
		keygen := exec.Command(RequireTool(t, "ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", file(name))
		if out, err := keygen.CombinedOutput(); err != nil {
			t.Fatalf("make key: %v: %s", err, out)
		}
	}
	config := fmt.Appendf(nil, sshdConfig, port, file("host"), file("user.pub"))
	if err := os.WriteFile(file("sshd_config"), config, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // where its unprivileged half lives
		t.Fatal(err)
	}
	return &SSHD{
		Args: []string{path, "-D", "-e", "-f", file("sshd_config")},
		Options: []string{
			"-F", "none", "-i", file("user"), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
			"-o", "BatchMode=yes", "-o", "LogLevel=ERROR",
		},
	}
}

const sshdConfig = `
Port %s
ListenAddress 127.0.0.1
HostKey %s
AuthorizedKeysFile %s
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin yes
MaxStartups 200
Subsystem sftp internal-sftp
`
