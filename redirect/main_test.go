package redirect_test

import (
	"testing"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }
