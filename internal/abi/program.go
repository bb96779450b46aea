package abi

// ProgramKind is one row of the program-type table: all that makes a function
// with a //bpf:<name> directive a BPF program of its kind.
type ProgramKind struct {
	// Name is the directive's word: //bpf:xdp.
	Name string
	// Section is the ELF section prefix that libbpf and cilium/ebpf know.
	// Where Target is not TargetNone, "/" and the target follow.
	Section string
	// Type and Attach are the kernel's BPF_PROG_TYPE_* and attach type.
	Type, Attach uint32
	// Context is the Go type of the parameter, as "import path.Name" below
	// the bpf/ directory: "xdp.Context". Empty: any pointer to a struct.
	Context string
	// CType is the C name of the context's struct, for BTF.
	CType string
	// Target says what may follow the directive's word.
	Target TargetRule
	// Fault is the verdict of a program that faults: the choice that lets
	// traffic and calls proceed, so that a bug in a probe harms nobody.
	Fault int64
	// FaultName names that verdict for people.
	FaultName string
	// MinKernel is the first kernel with this kind, "4.8".
	MinKernel string
	// Sleepable programs are loaded with BPF_F_SLEEPABLE.
	Sleepable bool
}

// TargetRule says what may follow a directive's word.
type TargetRule uint8

// The target rules.
const (
	TargetNone     TargetRule = iota // nothing may follow
	TargetOptional                   // "libc.so.6:getaddrinfo", or nothing: chosen at attach
	TargetRequired                   // "sock/inet_sock_set_state"
)

// ProgramKindByName finds the row of a directive; nil if there is none.
func ProgramKindByName(name string) *ProgramKind {
	for i := range ProgramKinds {
		if ProgramKinds[i].Name == name {
			return &ProgramKinds[i]
		}
	}
	return nil
}
