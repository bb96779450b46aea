//go:build linux

package vm

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/waggle-bpf/waggle/internal/testkit/vm/guest"
)

// writeInitrd writes the machine's root file system: process 1, the job, the
// modules, the program and the files asked for.
func writeInitrd(ctx context.Context, path string, cfg *Config) error {
	init := path + ".init"
	if err := buildInit(ctx, init); err != nil {
		return err
	}
	defer os.Remove(init)
	modules, err := cfg.Kernel.moduleFiles(cfg.Modules)
	if err != nil {
		return err
	}
	job := guest.Job{Argv: cfg.Argv, Env: cfg.Env, Dir: cfg.Dir}
	for _, m := range modules {
		job.Modules = append(job.Modules, "/modules/"+filepath.Base(m))
	}
	jobText, err := json.Marshal(job)
	if err != nil {
		return err
	}

	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer out.Close()
	buf := bufio.NewWriterSize(out, 1<<20)
	a := newArchive(buf)
	a.file("/init", init)
	a.data("/"+guest.JobFile, jobText)
	for i, m := range modules {
		a.file(job.Modules[i], m)
	}
	a.file(cfg.Argv[0], cfg.Argv[0])
	a.dir(cfg.Dir)
	for _, f := range cfg.Files {
		a.tree(f, cfg.Skip)
	}
	if err := a.close(); err != nil {
		return err
	}
	if err := buf.Flush(); err != nil {
		return err
	}
	return out.Close()
}

// buildInit compiles process 1; the build cache makes all but the first time quick.
func buildInit(ctx context.Context, path string) error {
	env := append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	return runEnv(ctx, env, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, guest.Package)
}

// tree adds a file, or a directory and all below it that skip doesn't refuse.
func (a *archive) tree(root string, skip func(string) bool) {
	root, err := filepath.Abs(root)
	if err != nil {
		a.fail(err)
		return
	}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case skip != nil && skip(path) && d.IsDir():
			return fs.SkipDir
		case skip != nil && skip(path):
			return nil
		case d.IsDir():
			a.dir(path)
		case d.Type().IsRegular():
			a.file(path, path)
		}
		return a.err
	})
	if err != nil {
		a.fail(fmt.Errorf("add %s: %w", root, err))
	}
}
