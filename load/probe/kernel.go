package probe

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/features"

	"github.com/waggle-bpf/waggle/load/internal/capability"
)

func kernel() []Feature {
	return runAll(Kernel, []test{
		{"bounded loops", "5.3", "loops", verifier(features.HaveBoundedLoops)},
		{"large programs", "5.2", "programs of more than 4096 instructions", verifier(features.HaveLargeInstructions)},
		{"loops ended by the kernel", "6.9", "waggle exec, where the number of iterations depends on data", verifier(MayGoto)},
		{"instruction set v3", "5.1", "objects built for it, waggle's among them", verifier(features.HaveV3ISA)},
		{"instruction set v4", "6.6", "objects built for it", verifier(features.HaveV4ISA)},
		{"type information", "", "tracing with BTF, iterators, CO-RE", kernelTypes},
		{"just-in-time compiler", "", "speed", jit},
		{"unlocked kernel", "", "tracing programs that read kernel memory", lockdown},
	})
}

// verifier is a test of what the verifier knows. It is stricter with those who lack
// CAP_BPF or CAP_PERFMON: what it refuses them it may know all the same.
func verifier(run func() error) func() error {
	return func() error {
		err := run()
		if _, lacks := capability.Missing(capability.BPF, capability.Perfmon); lacks && errors.Is(err, ebpf.ErrNotSupported) {
			return syscall.EPERM
		}
		return err
	}
}

// MayGoto asks for the instruction that ends loops.
func MayGoto() error {
	prog, err := tiny(&ebpf.ProgramSpec{
		Type:         ebpf.SocketFilter,
		Instructions: asm.Instructions{{OpCode: asm.OpCode(asm.JumpClass).SetJumpOp(asm.JCOND)}},
	})
	if errors.Is(err, syscall.EINVAL) {
		return ebpf.ErrNotSupported
	}
	if err != nil {
		return err
	}
	return prog.Close()
}

func kernelTypes() error {
	_, err := btf.LoadKernelSpec()
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, ebpf.ErrNotSupported) {
		return missing("built without CONFIG_DEBUG_INFO_BTF")
	}
	return err
}

// jit looks at the switch, which is not there if the kernel cannot do
// otherwise (CONFIG_BPF_JIT_ALWAYS_ON).
func jit() error {
	text, err := os.ReadFile("/proc/sys/net/core/bpf_jit_enable")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case strings.TrimSpace(string(text)) == "0":
		return missing("switched off by sysctl net.core.bpf_jit_enable")
	}
	return nil
}

// lockdown finds the mode that forbids reading kernel memory, see
// kernel_lockdown(7). The active mode stands in brackets.
func lockdown() error {
	text, err := os.ReadFile("/sys/kernel/security/lockdown")
	if err == nil && strings.Contains(string(text), "[confidentiality]") {
		return missing("lockdown is in confidentiality mode")
	}
	return nil
}

// programTypes leaves out what is no one thing: the kinds of tracing programs
// are under Attach.
func programTypes() []Feature {
	var tests []test
	for t := ebpf.SocketFilter; t <= ebpf.Netfilter; t++ {
		if t == ebpf.Tracing || t == ebpf.LSM {
			continue
		}
		tests = append(tests, test{fmt.Sprintf("program type %v", t), "", "", func() error { return features.HaveProgramType(t) }})
	}
	return runAll(Programs, tests)
}

func mapTypes() []Feature {
	var tests []test
	for t := ebpf.Hash; t <= ebpf.Arena; t++ {
		tests = append(tests, test{fmt.Sprintf("map type %v", t), "", "", func() error { return features.HaveMapType(t) }})
	}
	return runAll(Maps, tests)
}
