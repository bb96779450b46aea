package forward

import (
	"testing"

	"github.com/waggle-bpf/waggle/forward/engine/splice"
)

// TestOneMover: engine packet begins with engine splice and its pipes, for which there are
// files, and leaves closing it to us.
func TestOneMover(t *testing.T) {
	e := engines{options: engineOptions{pipes: 1}}
	defer e.close()
	mover := e.mover()
	g, err := e.get(splice.Name)
	if err != nil {
		t.Fatal(err)
	}
	if mover.(lent).Engine != g.(*splice.Engine) {
		t.Error("engine packet has pipes of its own")
	}
}
