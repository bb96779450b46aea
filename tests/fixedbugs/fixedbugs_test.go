package fixedbugs

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/waggle-bpf/waggle/compile"
	"github.com/waggle-bpf/waggle/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestFixed(t *testing.T) {
	testkit.EachArchive(t, "testdata/*.txtar", func(t *testing.T, a *testkit.Archive) {
		obj, err := compile.Compile(t.Context(), compile.Config{
			Files: map[string][]byte{"p.go": a.Get("p.go")}, Check: true,
		})
		if err != nil {
			t.Fatal(err)
		}
		var faults bytes.Buffer
		for _, f := range obj.Faults {
			fmt.Fprintf(&faults, "%d: %s\n", f.Pos.Line, f.Kind)
		}
		if a.Get("faults") != nil || faults.Len() > 0 {
			a.Want(t, "faults", faults.Bytes())
		}
		if a.Get("maps") != nil {
			var maps bytes.Buffer
			for _, m := range obj.Maps {
				fmt.Fprintln(&maps, m.Name)
			}
			a.Want(t, "maps", maps.Bytes())
		}
		coll := load(t, obj.ELF)
		if a.Get("return") == nil {
			return
		}
		ret, err := coll.Programs[obj.Programs[0].Name].Run(&ebpf.RunOptions{Data: make([]byte, 64)})
		if err != nil {
			t.Fatal(err)
		}
		a.Want(t, "return", fmt.Appendln(nil, int32(ret)))
	})
}

// load puts an object into the kernel until the test ends.
func load(t *testing.T, elf []byte) *ebpf.Collection {
	t.Helper()
	testkit.RequireRoot(t)
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(elf))
	if err != nil {
		t.Fatal(err)
	}
	coll, err := ebpf.NewCollection(spec)
	var verifier *ebpf.VerifierError
	if errors.As(err, &verifier) {
		t.Fatalf("%+v", verifier)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(coll.Close)
	return coll
}
