//go:build !linux

package httpwatch

import (
	"context"
	"fmt"

	"github.com/waggle-bpf/waggle/load"
)

// Run watches HTTP requests, on Linux only.
func Run(context.Context, Options) (Summary, error) {
	return Summary{}, fmt.Errorf("watch http: %w", load.ErrNotSupported)
}
