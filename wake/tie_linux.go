package wake

import (
	"os/exec"
	"runtime"
	"syscall"

	"github.com/waggle-bpf/waggle/target"
)

// Tie lets what a command becomes end with this process, even if that is killed. The
// kernel sends the signal when the thread ends that has made the child
// (PR_SET_PDEATHSIG in prctl(2)), so one that never does makes it.
func Tie(e *target.Exec) {
	jobs := make(chan func())
	go func() {
		runtime.LockOSThread()
		for job := range jobs {
			job()
		}
	}()
	e.Begin = func(cmd *exec.Cmd) (wait func() error, err error) {
		cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM
		done := make(chan error)
		jobs <- func() { done <- cmd.Start() }
		return cmd.Wait, <-done
	}
}
