package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/waggle-bpf/waggle/compile"
	"github.com/waggle-bpf/waggle/load"
)

// boundFlag says which loops the kernel is to end, of a package that a command
// compiles.
type boundFlag struct {
	Bound string `enum:"none,uncounted,all" default:"none" placeholder:"LOOPS" help:"Loops that the kernel ends when they run for long, so that the verifier need not see their end: none, all, or uncounted, which are those that neither count between constants nor walk through a slice. Needs Linux 6.9."`
}

var bounds = map[string]compile.LoopBound{
	"none": compile.BoundNone, "uncounted": compile.BoundUncounted, "all": compile.BoundAll,
}

// openObject opens what a command was given: a BPF object file, or a kernel
// package (a directory or a Go file), which it compiles.
func openObject(e *env, path string, bound boundFlag) (*load.Object, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, badInput(fmt.Errorf("open object: %w", err))
	}
	if !st.IsDir() && filepath.Ext(path) != ".go" {
		if bounds[bound.Bound] != compile.BoundNone {
			return nil, badInputf("bound loops of %s: it is compiled already; give --bound to waggle build", path)
		}
		obj, err := load.Open(path)
		return obj, badInput(err)
	}
	compiled, err := compilePackage(e, compile.Config{Dir: path, Bound: bounds[bound.Bound]})
	if err != nil {
		return nil, err
	}
	obj, err := load.OpenBytes(path, compiled.ELF)
	if err != nil {
		return nil, fmt.Errorf("compile %s: %w", path, err)
	}
	return obj, nil
}

// compilePackage compiles a kernel package that the user named, and that has
// programs.
func compilePackage(e *env, cfg compile.Config) (*compile.Object, error) {
	if err := isPackage(cfg.Dir); err != nil {
		return nil, badInput(err)
	}
	obj, err := compile.Compile(e.ctx, cfg)
	if err != nil {
		return nil, err
	}
	if len(obj.Programs) == 0 {
		return nil, badInputf("compile %s: no function has a //bpf: directive, so there is no program", cfg.Dir)
	}
	return obj, nil
}

// sourceFile names a source file of the package that a command was given as path, as
// the compiler's messages do: the object knows it below the package's directory, the
// user from where he stands. Other files, and those of objects that were compiled
// elsewhere, keep their names.
func sourceFile(path, name string) string {
	prefix := strings.TrimSuffix(path, "/") + "/"
	switch {
	case filepath.Ext(path) == ".go":
		prefix = strings.TrimSuffix(path, filepath.Base(path))
	case prefix == "./":
		prefix = ""
	}
	if _, err := os.Stat(prefix + name); err == nil && !filepath.IsAbs(name) {
		return prefix + name
	}
	return name
}

// atSource makes a verifier's refusal name the source file as sourceFile does.
func atSource(err error, path string) error {
	var refusal *load.VerifierError
	if errors.As(err, &refusal) && refusal.Pos.File != "" {
		refusal.Pos.File = sourceFile(path, refusal.Pos.File)
	}
	return err
}
