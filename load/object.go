package load

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// maxObject bounds the size of an object file. The largest real ones, with
// debug information, have a few megabytes.
const maxObject = 256 << 20

// Object is a BPF object that has been opened and checked but is not in the
// kernel. Setting variables changes the Object; loading does not, so one
// Object may be loaded several times. It is not safe for concurrent use.
type Object struct {
	name     string
	spec     *ebpf.CollectionSpec
	programs []string // in the order of the file
	maps     []string // likewise
	hasOrder bool     // there was a file
	sites    []FaultSite
}

// Open reads and checks the object file at path.
func Open(path string) (*Object, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open object: %w", err)
	}
	defer f.Close()
	return OpenReader(path, f)
}

// OpenReader reads and checks an object. The name, usually a path, begins
// error messages.
func OpenReader(name string, r io.ReaderAt) (*Object, error) {
	data, err := io.ReadAll(io.NewSectionReader(r, 0, maxObject+1))
	if err != nil {
		return nil, fmt.Errorf("open object %s: %w", name, err)
	}
	return OpenBytes(name, data)
}

// OpenBytes checks an object held in memory, such as one that go:embed put
// into the program. The name begins error messages. The data must not change
// afterwards.
func OpenBytes(name string, data []byte) (*Object, error) {
	o, err := parseObject(name, data)
	if err != nil {
		return nil, fmt.Errorf("open object %s: %w", name, err)
	}
	return o, nil
}

func parseObject(name string, data []byte) (*Object, error) {
	if len(data) > maxObject {
		return nil, fmt.Errorf("larger than %d bytes", maxObject)
	}
	f, err := parseELF(data)
	if err != nil {
		return nil, err
	}
	if err := f.checkArch(runtime.GOARCH); err != nil {
		return nil, err
	}
	if err := checkTypes(data); err != nil {
		return nil, err
	}
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	sites, err := readFaultSites(f)
	if err != nil {
		return nil, err
	}
	o := &Object{
		name:     name,
		spec:     spec,
		sites:    sites,
		programs: ordered(spec.Programs, f.symbolOrder(isCode)),
		maps:     ordered(spec.Maps, f.symbolOrder(isMaps)),
		hasOrder: true,
	}
	return o, o.checkPrograms()
}

// checkTypes finds the one damage in an object's type information that the
// object reader takes on trust.
func checkTypes(data []byte) error {
	spec, err := btf.LoadSpecFromReader(bytes.NewReader(data))
	if errors.Is(err, btf.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read type information: %w", err)
	}
	var config *btf.Datasec
	if spec.TypeByName(".kconfig", &config) != nil {
		return nil
	}
	for _, v := range config.Vars {
		if _, ok := v.Type.(*btf.Var); !ok {
			return fmt.Errorf("read type information: .kconfig holds a %T, not a variable", v.Type)
		}
	}
	return nil
}

// FromSpec makes an Object of a collection made in memory, such as a compiler
// gives without the detour over a file. The name begins error messages; sites
// may be nil. The spec belongs to the Object from now on. Without a file there
// is no order of maps, and so what programs count in waggle_lost cannot be told
// apart by buffer.
func FromSpec(name string, spec *ebpf.CollectionSpec, sites []FaultSite) (*Object, error) {
	if spec == nil {
		return nil, fmt.Errorf("open object %s: no collection", name)
	}
	o := &Object{
		name:     name,
		spec:     spec,
		sites:    sites,
		programs: ordered(spec.Programs, nil),
		maps:     ordered(spec.Maps, nil),
	}
	if err := o.checkPrograms(); err != nil {
		return nil, fmt.Errorf("open object %s: %w", name, err)
	}
	return o, nil
}

// checkPrograms refuses an object with nothing to run and one with programs
// nobody could load: cilium/ebpf would leave those out without a word.
func (o *Object) checkPrograms() error {
	if len(o.spec.Programs) == 0 {
		return errors.New("no programs in it")
	}
	for _, name := range o.programs {
		if p := o.spec.Programs[name]; p.Type == ebpf.UnspecifiedProgram {
			return fmt.Errorf("program %s: section %q names no kind of program", name, p.SectionName)
		}
	}
	return nil
}

// ordered returns the keys of m: first those in order, then the others sorted.
func ordered[V any](m map[string]V, order []string) []string {
	names := make([]string, 0, len(m))
	seen := make(map[string]bool, len(m))
	for _, name := range order {
		if _, ok := m[name]; ok && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if !seen[name] {
			names = append(names, name)
		}
	}
	return names
}

// Name is what the object was opened as, usually its path.
func (o *Object) Name() string { return o.name }

// Spec gives what cilium/ebpf knows of the object, for all that this package
// has no word for. Changes take effect at the next Load.
func (o *Object) Spec() *ebpf.CollectionSpec { return o.spec }

// FaultSites lists the source positions where the object's programs count
// faults, by their index in the fault counters; nil if it has none.
func (o *Object) FaultSites() []FaultSite { return slices.Clone(o.sites) }
