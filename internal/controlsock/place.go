package controlsock

import (
	"fmt"
	"os"
	"path/filepath"
)

// DefaultDir is the directory of sockets that nobody has given a place: one for each user.
func DefaultDir() string {
	if os.Geteuid() == 0 {
		return "/run/waggle"
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "waggle")
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("waggle-%d", os.Geteuid()))
}
