package handover

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

// TestFirstProcess: what a container would end with starts no successor.
func TestFirstProcess(t *testing.T) {
	testkit.RequireRoot(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), successorEnv+"=first")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "<nil> start successor: this is process 1") || !strings.Contains(string(out), "--take-over") {
		t.Errorf("got %s and %v", out, err)
	}
}
