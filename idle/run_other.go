//go:build !linux

package idle

import (
	"context"
	"fmt"

	"github.com/waggle-bpf/waggle/load"
)

// Run runs and watches a service, on Linux only.
func Run(context.Context, Options) error {
	return fmt.Errorf("watch connections: %w", load.ErrNotSupported)
}
