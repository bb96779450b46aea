package cli

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/waggle-bpf/waggle/compile"
	"github.com/waggle-bpf/waggle/load"
)

// openObject opens what a command was given: a BPF object file, or a kernel
// package (a directory or a Go file), which it compiles.
func openObject(e *env, path string) (*load.Object, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, badInput(fmt.Errorf("open object: %w", err))
	}
	if !st.IsDir() && filepath.Ext(path) != ".go" {
		obj, err := load.Open(path)
		return obj, badInput(err)
	}
	compiled, err := compilePackage(e, compile.Config{Dir: path})
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
