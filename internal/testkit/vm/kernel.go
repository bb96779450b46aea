//go:build linux

package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// kernelPackage is the package of Debian that depends on the newest kernel for
// virtual machines: BTF, JIT, nearly no drivers, and it boots in seconds.
const kernelPackage = "linux-image-cloud-amd64"

// ErrNotSupported tells that this host can't run the machine at all, because of
// its architecture or its distribution. Other errors of FetchKernel are failures.
var ErrNotSupported = errors.New("virtual machine not supported here")

// Kernel is a distribution's kernel, unpacked.
type Kernel struct {
	Release string // as uname -r prints it
	Image   string // path of the bzImage
	Modules string // path of lib/modules/RELEASE
}

// FetchKernel returns Debian's kernel for virtual machines, kept below the
// directory cache. The first call downloads the package (27 MB) with apt-get;
// nothing is installed. Calls at the same time don't disturb each other.
func FetchKernel(ctx context.Context, cache string) (*Kernel, error) {
	if runtime.GOARCH != "amd64" {
		return nil, fmt.Errorf("%w: needs amd64", ErrNotSupported)
	}
	dir := filepath.Join(cache, "kernel")
	if k, err := openKernel(dir); err == nil {
		return k, nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return nil, fmt.Errorf("%w: kernel packages come from apt-get: %w", ErrNotSupported, err)
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, err
	}
	tmp, err := os.MkdirTemp(cache, "kernel-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	if err := download(ctx, tmp); err != nil {
		return nil, fmt.Errorf("fetch kernel package: %w", err)
	}
	if err := os.Rename(filepath.Join(tmp, "root"), dir); err != nil {
		if k, err := openKernel(dir); err == nil {
			return k, nil // somebody else was faster
		}
		return nil, err
	}
	return openKernel(dir)
}

// download leaves the unpacked package in dir/root.
func download(ctx context.Context, dir string) error {
	name, err := dependency(ctx, kernelPackage)
	if err != nil {
		return err
	}
	if _, err := output(ctx, dir, "apt-get", "download", "-q", name); err != nil {
		return err
	}
	debs, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(debs) != 1 {
		return fmt.Errorf("apt-get download %s left %d packages", name, len(debs))
	}
	_, err = output(ctx, dir, "dpkg-deb", "-x", filepath.Base(debs[0]), "root")
	return err
}

// dependency names the package that a meta package depends on.
func dependency(ctx context.Context, meta string) (string, error) {
	out, err := output(ctx, ".", "apt-cache", "depends", "--important", meta)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(out) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "Depends: "); ok {
			return name, nil
		}
	}
	return "", fmt.Errorf("package %s unknown; apt-get update helps", meta)
}

func openKernel(dir string) (*Kernel, error) {
	images, err := filepath.Glob(filepath.Join(dir, "boot", "vmlinuz-*"))
	if err != nil || len(images) != 1 {
		return nil, fmt.Errorf("open kernel %s: %d images", dir, len(images))
	}
	release := strings.TrimPrefix(filepath.Base(images[0]), "vmlinuz-")
	return &Kernel{
		Release: release,
		Image:   images[0],
		Modules: filepath.Join(dir, "lib", "modules", release),
	}, nil
}

// output runs a command in dir; its error carries what the command said.
func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return "", fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(exit.Stderr)))
	}
	return string(out), err
}

// runEnv runs a command with an environment; its error carries what it said.
func runEnv(ctx context.Context, env []string, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = env
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	return nil
}
