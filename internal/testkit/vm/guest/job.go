// Package guest is the contract between the host and process 1 of a test
// machine: what to run, and what came of it.
package guest

// Package is the import path of process 1, the command for the machine's init.
const Package = "github.com/waggle-bpf/waggle/internal/testkit/vm/guest/init"

// JobFile is where the job lies in the machine, below its root.
const JobFile = "job.json"

// The machine's serial lines: the first is the kernel's console.
const (
	OutputLine = "/dev/ttyS1" // what the program writes
	ResultLine = "/dev/ttyS2" // Booted, a Beat every second, and in the end a Result in JSON
)

// Booted says that the machine is up and the program about to start.
const Booted = "booted\n"

// Beat says that the machine still works: emulated ones may stand still.
const Beat = "."

// Job is what process 1 does.
type Job struct {
	Argv, Env []string
	Dir       string
	// Modules are the kernel modules to insert, in this order.
	Modules []string
}

// Result tells how the job ended.
type Result struct {
	// Exit is the program's exit code; 128 plus the signal if one killed it.
	Exit int
	// Error, if not empty, tells why the program could not run.
	Error string
}
