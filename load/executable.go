package load

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// multiarch is Debian's name of an architecture's library directory.
var multiarch = map[string]string{"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}

// libraryDirs are where dynamic linkers look for libraries, see ld.so(8).
func libraryDirs() []string {
	dirs := filepath.SplitList(os.Getenv("LD_LIBRARY_PATH"))
	if name := multiarch[runtime.GOARCH]; name != "" {
		dirs = append(dirs, "/lib/"+name, "/usr/lib/"+name)
	}
	return append(dirs, "/lib64", "/usr/lib64", "/lib", "/usr/lib", "/usr/local/lib")
}

// findExecutable resolves a name as the dynamic linker does if it is that of
// a library, else as the shell does. Paths stay as they are.
func findExecutable(name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	if !strings.Contains(name, ".so") {
		path, err := exec.LookPath(name)
		if err != nil {
			return "", fmt.Errorf("find executable %s: not in PATH", name)
		}
		return path, nil
	}
	dirs := libraryDirs()
	for _, dir := range dirs {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, nil
		}
	}
	return "", fmt.Errorf("find library %s: in none of %s", name, list(dirs))
}
