//go:build linux

package vm

import (
	"debug/elf"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// moduleFiles finds the files of the named kernel modules and of all they
// depend on, dependencies first: the order in which to insert them.
func (k *Kernel) moduleFiles(names []string) ([]string, error) {
	files := make(map[string]string)
	err := filepath.WalkDir(k.Modules, func(path string, d fs.DirEntry, err error) error {
		if name, ok := strings.CutSuffix(filepath.Base(path), ".ko"); ok {
			files[moduleName(name)] = path
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var order []string
	var visit func(name string) error
	visit = func(name string) error {
		path, ok := files[moduleName(name)]
		if !ok {
			return fmt.Errorf("find module %s: kernel %s has none", name, k.Release)
		}
		if slices.Contains(order, path) {
			return nil
		}
		deps, err := moduleDepends(path)
		if err != nil {
			return err
		}
		for _, dep := range deps {
			if err := visit(dep); err != nil {
				return err
			}
		}
		order = append(order, path)
		return nil
	}
	for _, name := range names {
		if err := visit(name); err != nil {
			return nil, err
		}
	}
	return order, nil
}

// moduleName makes the two spellings of a module's name one.
func moduleName(s string) string { return strings.ReplaceAll(s, "-", "_") }

// moduleDepends reads the names a module depends on from its .modinfo section:
// NUL-terminated "key=value" strings. The package's modules.dep is made at
// installation, so it isn't there.
func moduleDepends(path string) ([]string, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read module %s: %w", path, err)
	}
	defer f.Close()
	sec := f.Section(".modinfo")
	if sec == nil {
		return nil, fmt.Errorf("read module %s: no .modinfo section", path)
	}
	data, err := sec.Data()
	if err != nil {
		return nil, fmt.Errorf("read module %s: %w", path, err)
	}
	for _, field := range strings.Split(string(data), "\x00") {
		if deps, ok := strings.CutPrefix(field, "depends="); ok && deps != "" {
			return strings.Split(deps, ","), nil
		}
	}
	return nil, nil
}
