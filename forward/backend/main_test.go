package backend

import (
	"testing"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

// Root's tests run in a network namespace that has a loopback device and no routes.
func TestMain(m *testing.M) { testkit.Main(m) }
