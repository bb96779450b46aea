package load

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/cilium/ebpf"

	"github.com/waggle-bpf/waggle/load/internal/capability"
	"github.com/waggle-bpf/waggle/load/internal/release"
)

// ErrNotSupported is what errors.Is finds in every error that means "this
// kernel has not got that": missing program and map types, helpers, ways of
// attaching, and everything on systems other than Linux.
var ErrNotSupported = ebpf.ErrNotSupported

// ErrNotAttachable is in the error of an Attach that can never succeed for
// this kind of program.
var ErrNotAttachable = errors.New("cannot be attached")

// UnsupportedError names the feature the kernel lacks. errors.Is finds
// [ErrNotSupported] in it.
type UnsupportedError struct {
	// Op is what was attempted, "load program count".
	Op string
	// Feature is what is missing, "program type LSM".
	Feature string
	// MinKernel is the first kernel version with it, "6.6"; empty if unknown
	// or a matter of the kernel's configuration.
	MinKernel string
	// Err is the cause; may be nil.
	Err error
}

// Error is one line.
func (e *UnsupportedError) Error() string {
	text := fmt.Sprintf("%s: this kernel has no %s", e.Op, e.Feature)
	if e.MinKernel != "" {
		text += fmt.Sprintf(" (Linux %s has)", e.MinKernel)
	}
	return text
}

// Is makes errors.Is find ErrNotSupported.
func (e *UnsupportedError) Is(target error) bool { return target == ErrNotSupported }

// Unwrap gives the cause.
func (e *UnsupportedError) Unwrap() error { return e.Err }

// unsupported makes an UnsupportedError of a feature test's result. A kernel
// that is new enough lacks the feature because it was built without it.
func unsupported(op, feature string, missing, err error) *UnsupportedError {
	e := &UnsupportedError{Op: op, Feature: feature, Err: err}
	if version := release.Required(missing); !release.AtLeast(version) {
		e.MinKernel = version
	}
	return e
}

// PrivilegeError is a refusal for want of rights.
type PrivilegeError struct {
	// Op is what was attempted, "load program count".
	Op string
	// Capability is the first capability that the process lacks, "CAP_BPF".
	// Empty if it has all that the operation needs: then a policy of the
	// kernel refuses (lockdown, a security module, a seccomp filter).
	Capability string
	// Err is the kernel's answer; a *VerifierError if only the verifier wants the
	// capability.
	Err error
}

// Error is one line.
func (e *PrivilegeError) Error() string {
	if e.Capability == "" {
		return fmt.Sprintf("%s: %v, though no capability is missing: a policy of this kernel refuses it (lockdown, security module, seccomp)", e.Op, plainErrno(e.Err))
	}
	text := fmt.Sprintf("%s: needs %s", e.Op, e.Capability)
	var refusal *VerifierError
	if errors.As(e.Err, &refusal) {
		text += ", without which the verifier is stricter: " + refusal.Error()
	}
	return text
}

// Unwrap gives the kernel's answer.
func (e *PrivilegeError) Unwrap() error { return e.Err }

// plainErrno leaves out what libraries between us and the kernel guess.
func plainErrno(err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return err
}

// refused turns an EPERM into a PrivilegeError that names the first of the
// needed capabilities the process lacks. Other errors get op in front.
func refused(op string, err error, needs ...capability.Cap) error {
	if u, ok := err.(*UnsupportedError); ok && u.Op == "" {
		u.Op = op
		return u
	}
	if errors.Is(err, ErrNotSupported) || !errors.Is(err, syscall.EPERM) {
		return fmt.Errorf("%s: %w", op, err)
	}
	denied := &PrivilegeError{Op: op, Err: err}
	if first, missing := capability.Missing(needs...); missing {
		denied.Capability = first.String()
	}
	return denied
}
