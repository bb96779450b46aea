package bindgen

import (
	"go/types"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/load"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// world is a kernel package and what it imports, as types.
type world struct {
	bpf, packet, kern *types.Package
}

func newWorld() *world {
	return &world{
		bpf:    types.NewPackage("github.com/waggle-bpf/waggle/bpf", "bpf"),
		packet: types.NewPackage("github.com/waggle-bpf/waggle/bpf/packet", "packet"),
		kern:   types.NewPackage("example.org/count/kern", "kern"),
	}
}

func (w *world) named(p *types.Package, name string) types.Type {
	return types.NewNamed(types.NewTypeName(0, p, name, nil), types.NewStruct(nil, nil), nil)
}

// mapType is bpf.NAME[ARGS...].
func (w *world) mapType(name string, args ...types.Type) types.Type {
	obj := types.NewTypeName(0, w.bpf, name, nil)
	generic := types.NewNamed(obj, types.NewStruct(nil, nil), nil)
	if len(args) == 0 {
		return generic
	}
	var params []*types.TypeParam
	for range args {
		params = append(params, types.NewTypeParam(types.NewTypeName(0, w.bpf, "T", nil), types.Universe.Lookup("any").Type()))
	}
	generic.SetTypeParams(params)
	t, err := types.Instantiate(nil, generic, args, false)
	if err != nil {
		panic(err)
	}
	return t
}

func TestGenerate(t *testing.T) {
	w := newWorld()
	addr, event := w.named(w.packet, "Addr"), w.named(w.kern, "Event")
	otherPacket := types.NewPackage("example.org/packet", "packet")
	in := &Input{
		Package: "count", Path: "example.org/count", Kern: w.kern, ObjectFile: "zkern.o",
		Programs: []string{"Count", "drop"},
		Maps: []Map{
			{"Requests", w.mapType("LRUHash", addr, types.Typ[types.Uint64])},
			{"Slots", w.mapType("Array", event)},
			{"PerCPU", w.mapType("PerCPUArray", types.Typ[types.Uint32])},
			{"Events", w.mapType("RingBuf", event)},
			{"Socks", w.mapType("SockMap")},
			{"Peers", w.mapType("SockHash", addr)},
			{"Stages", w.mapType("ProgArray")},
			{"Devices", w.mapType("DevMap")},
			{"private", w.mapType("Hash", w.named(w.kern, "key"), event)},
			{"Buffer", w.mapType("Scratch", event)},
			{"ByOther", w.mapType("Hash", w.named(otherPacket, "Key"), types.NewArray(types.Typ[types.Byte], 4))},
		},
		Vars:   []Variable{{"Total", types.Typ[types.Uint64]}, {"hidden", types.Typ[types.Int]}},
		Consts: []Variable{{"Port", types.Typ[types.Uint16]}, {"wakeup", types.Typ[types.Bool]}},
	}
	got, err := Generate(in)
	if err != nil {
		t.Fatal(err)
	}
	testkit.Golden(t, "testdata/count.golden", got)

	in.Package, in.Path = "kern", w.kern.Path()
	got, err = Generate(in)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(got), w.kern.Path()) || !strings.Contains(string(got), "load.Events[Event]") {
		t.Errorf("bindings inside the kernel package:\n%s", got)
	}
}

func TestGenerateSmall(t *testing.T) {
	got, err := Generate(&Input{Package: "p", Path: "example.org/p", Kern: newWorld().kern, ObjectFile: "k.o", Programs: []string{"Run"}, Arch: "arm64"})
	if err != nil {
		t.Fatal(err)
	}
	testkit.Golden(t, "testdata/small.golden", got)
}

// TestHandleNames gives maps, variables and programs every name that the handle has:
// all stay within reach.
func TestHandleNames(t *testing.T) {
	handle := reflect.TypeFor[*load.Handle]()
	names := []string{"Handle"}
	for i := range handle.NumMethod() {
		names = append(names, handle.Method(i).Name)
	}
	slices.Sort(names)
	if diff := cmp.Diff(names, handleNames); diff != "" {
		t.Errorf("handleNames (-load.Handle +here):\n%s", diff)
	}
	w := newWorld()
	in := &Input{
		Package: "p", Path: "example.org/p", Kern: w.kern, ObjectFile: "k.o", Programs: []string{"All"},
		Maps: []Map{{"Links", w.mapType("Hash", types.Typ[types.Uint32], types.Typ[types.Uint32])}, {"Lost", w.mapType("RingBuf", types.Typ[types.Uint64])}, {"Map", w.mapType("DevMap")}},
		Vars: []Variable{{"Handle", types.Typ[types.Uint64]}},
	}
	got, err := Generate(in)
	if err != nil {
		t.Fatal(err)
	}
	testkit.Golden(t, "testdata/names.golden", got)
}

func TestGenerateRefuses(t *testing.T) {
	w := newWorld()
	base := func() *Input {
		return &Input{Package: "p", Path: "example.org/p", Kern: w.kern, ObjectFile: "k.o"}
	}
	for want, change := range map[string]func(*Input){
		"map Hits: key is not exported, so package p can't name it": func(in *Input) {
			in.Maps = []Map{{"Hits", w.mapType("Hash", w.named(w.kern, "key"), types.Typ[types.Int])}}
		},
		"map AttachRun: program Run and map AttachRun would both be called AttachRun": func(in *Input) {
			in.Programs = []string{"Run"}
			in.Maps = []Map{{"AttachRun", w.mapType("SockMap")}}
		},
		"variable V: x is not exported, so package p can't name it": func(in *Input) {
			in.Vars = []Variable{{"V", types.NewStruct([]*types.Var{types.NewField(0, w.kern, "x", types.Typ[types.Int], false)}, nil)}}
		},
	} {
		in := base()
		change(in)
		if got, err := Generate(in); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("got %v, want %s\n%s", err, want, got)
		}
	}
}
