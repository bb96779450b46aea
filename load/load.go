package load

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"syscall"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/features"

	"github.com/waggle-bpf/waggle/load/internal/capability"
)

// Options control Load. The zero value loads everything.
type Options struct {
	// PinPath is the directory, on a BPF file system, of the maps that the
	// object declares as pinned by name. It is made if need be. Existing
	// pins are used if they fit, else it is an error.
	PinPath string
	// MapReplacements are used in place of the object's maps of those names;
	// type, sizes and flags must agree. The caller keeps its maps.
	MapReplacements map[string]*ebpf.Map
	// Programs names those to load, with all maps; nil means all programs.
	Programs []string
	// LogLevel asks for the verifier's log of programs that it accepts; see
	// Handle.VerifierLog. Those that it refuses give theirs anyway.
	LogLevel ebpf.LogLevel
	// KernelTypes are used for CO-RE in place of the running kernel's.
	KernelTypes *btf.Spec
}

// Load creates the object's maps and loads its programs. If that fails,
// nothing stays behind, except maps that were already pinned by name.
func (o *Object) Load(opts Options) (*Handle, error) {
	spec, err := o.prepare(opts)
	if err != nil {
		return nil, fmt.Errorf("load object %s: %w", o.name, err)
	}
	coll, err := ebpf.NewCollectionWithOptions(spec, collectionOptions(opts, opts.LogLevel|ebpf.LogLevelStats))
	if err != nil {
		return nil, o.explain(spec, opts, err)
	}
	return newHandle(o, coll), nil
}

// collectionOptions always ask for the verifier's statistics: they cost
// nothing, and a refused program's log then holds the message without the
// trace, which for a complex program would be hundreds of megabytes.
func collectionOptions(opts Options, level ebpf.LogLevel) ebpf.CollectionOptions {
	return ebpf.CollectionOptions{
		Maps:            ebpf.MapOptions{PinPath: opts.PinPath},
		MapReplacements: opts.MapReplacements,
		Programs: ebpf.ProgramOptions{
			LogLevel:    level,
			KernelTypes: opts.KernelTypes,
		},
	}
}

// prepare copies the object's collection, cut down to what opts ask for, and
// makes sure of the pin path.
func (o *Object) prepare(opts Options) (*ebpf.CollectionSpec, error) {
	spec := o.spec.Copy()
	if opts.Programs != nil {
		for _, name := range opts.Programs {
			if spec.Programs[name] == nil {
				return nil, o.noProgram(name)
			}
		}
		for name := range spec.Programs {
			if !slices.Contains(opts.Programs, name) && !o.tailCalled()[name] {
				delete(spec.Programs, name)
			}
		}
	}
	return spec, o.preparePins(opts)
}

func (o *Object) preparePins(opts Options) error {
	for _, name := range o.maps {
		if o.spec.Maps[name].Pinning == ebpf.PinNone || opts.MapReplacements[name] != nil {
			continue
		}
		if opts.PinPath == "" {
			return fmt.Errorf("map %s is pinned by name and there is no pin path", name)
		}
		if err := os.MkdirAll(opts.PinPath, 0o700); err != nil {
			return fmt.Errorf("make pin path: %w", err)
		}
		break
	}
	return nil
}

// tailCalled holds the programs that the object itself puts into program
// arrays: they run by tail call and are not attached.
func (o *Object) tailCalled() map[string]bool {
	called := map[string]bool{}
	for _, m := range o.spec.Maps {
		if m.Type != ebpf.ProgramArray {
			continue
		}
		for _, kv := range m.Contents {
			if name, ok := kv.Value.(string); ok {
				called[name] = true
			}
		}
	}
	return called
}

func (o *Object) noProgram(name string) error {
	return fmt.Errorf("no program %q in it (it has %s)", name, list(o.programs))
}

func (o *Object) noMap(name string) error {
	return fmt.Errorf("no map %q in it (it has %s)", name, list(slices.DeleteFunc(slices.Clone(o.maps), holdsVariables)))
}

// What cilium/ebpf calls the program or map that an error is about.
var (
	programInError = regexp.MustCompile(`\bprogram ([A-Za-z_][A-Za-z0-9_.]*)\b`)
	mapInError     = regexp.MustCompile(`^map ([^ :]+):`)
)

// explain turns a failed load into the error type that tells most: verifier,
// missing feature, missing privilege.
func (o *Object) explain(spec *ebpf.CollectionSpec, opts Options, err error) error {
	if m := mapInError.FindStringSubmatch(err.Error()); m != nil && spec.Maps[m[1]] != nil {
		return o.explainMap(m[1], spec.Maps[m[1]], err)
	}
	if m := programInError.FindStringSubmatch(err.Error()); m != nil && spec.Programs[m[1]] != nil {
		return explainProgram(spec, m[1], opts, err)
	}
	return refused("load object "+o.name, err, capability.BPF)
}

func (o *Object) explainMap(name string, m *ebpf.MapSpec, err error) error {
	op := "create map " + name
	if missing := features.HaveMapType(m.Type); errors.Is(err, syscall.EINVAL) && errors.Is(missing, ErrNotSupported) {
		return unsupported(op, "map type "+m.Type.String(), missing, err)
	}
	return refused(op, unwrapped(err), capability.BPF, capability.NetAdmin)
}

func explainProgram(spec *ebpf.CollectionSpec, name string, opts Options, err error) error {
	op := "load program " + name
	p := spec.Programs[name]
	var verifier *ebpf.VerifierError
	if errors.As(err, &verifier) && len(verifier.Log) > 0 {
		return withRights(op, newVerifierError(p, traced(spec, name, opts, verifier)))
	}
	if errors.Is(err, syscall.EFAULT) {
		return withRights(op, confused(p, err))
	}
	if errors.Is(err, syscall.EPERM) {
		return refused(op, err, needsOfProgram(p.Type)...)
	}
	if missing := features.HaveProgramType(p.Type); errors.Is(err, syscall.EINVAL) && errors.Is(missing, ErrNotSupported) {
		return unsupported(op, "program type "+p.Type.String(), missing, err)
	}
	return fmt.Errorf("%s: %w", op, unwrapped(err))
}

// withRights says that a right is missing of which the verifier makes much: without
// CAP_PERFMON it refuses pointer arithmetic that it otherwise allows, and follows
// what processors do on wrong guesses, too. What of its words is due to that, they
// don't tell.
func withRights(op string, refusal *VerifierError) error {
	if _, missing := capability.Missing(capability.Perfmon); missing {
		return &PrivilegeError{Op: op, Capability: capability.Perfmon.String(), Err: refusal}
	}
	return refusal
}

// confused explains EFAULT, of which cilium/ebpf keeps no log: the verifier had
// more branches to come back to than it can remember, or met a bug of its own.
func confused(p *ebpf.ProgramSpec, err error) *VerifierError {
	return &VerifierError{
		Program:  p.Name,
		Pos:      sourceOf(p, -1),
		Sentence: "is more than the verifier can follow",
		Hint:     "shorter loops, fewer branches in loops; or let the kernel end loops with --bound",
		Message:  unwrapped(err).Error(),
		Err:      err,
	}
}

// unwrapped takes off the name of the map or program that cilium/ebpf has put
// in front of an error, as ours will be.
func unwrapped(err error) error {
	if cause := errors.Unwrap(err); cause != nil {
		return cause
	}
	return err
}

// traced loads the refused program once more, for a log with the way to the
// failing instruction. The trace of a program that was given up as too
// complex is too long to be of use to anybody.
func traced(spec *ebpf.CollectionSpec, name string, opts Options, refusal *ebpf.VerifierError) *ebpf.VerifierError {
	if errors.Is(refusal.Cause, syscall.E2BIG) || opts.LogLevel&ebpf.LogLevelBranch != 0 {
		return refusal
	}
	alone := spec.Copy()
	alone.Programs = map[string]*ebpf.ProgramSpec{name: alone.Programs[name]}
	for _, m := range alone.Maps {
		if m.Type == ebpf.ProgramArray || m.Type == ebpf.StructOpsMap {
			m.Contents = nil // they name programs that are no longer here
		}
	}
	coll, err := ebpf.NewCollectionWithOptions(alone, collectionOptions(opts, ebpf.LogLevelBranch))
	if err == nil {
		coll.Close()
		return refusal
	}
	var verifier *ebpf.VerifierError
	if !errors.As(err, &verifier) || len(verifier.Log) == 0 {
		return refusal
	}
	return verifier
}
