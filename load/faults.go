package load

import (
	"fmt"

	"github.com/waggle-bpf/waggle/internal/faultinfo"
)

// FaultSite is a source position where a program may leave with a fault: an
// index out of range, a division by zero, a nil pointer. Objects of waggle's
// compiler have a table of them.
type FaultSite struct {
	Pos
	Kind string // "index out of range"
}

// String is "probe.go:42:7: index out of range".
func (s FaultSite) String() string { return s.Pos.String() + ": " + s.Kind }

// Fault is how often a program left at a site.
type Fault struct {
	FaultSite
	Count uint64
}

// Faults lists the sites where programs have faulted since the object was
// loaded, in the order of the object's table. Objects without fault counters
// have none.
func (h *Handle) Faults() ([]Fault, error) {
	if h.coll.Maps[faultinfo.Map] == nil {
		return nil, nil
	}
	counters, err := PerCPUMapOf[uint32, uint64](h, faultinfo.Map)
	if err != nil {
		return nil, fmt.Errorf("read faults of %s: %w", h.obj.name, err)
	}
	var faults []Fault
	for i := range counters.m.MaxEntries() {
		perCPU, err := counters.Get(i)
		if err != nil {
			return nil, fmt.Errorf("read faults of %s: %w", h.obj.name, err)
		}
		if n := Sum(perCPU); n > 0 {
			faults = append(faults, Fault{h.obj.site(int(i)), n})
		}
	}
	return faults, nil
}

// site is the site with that index. A counter beyond the table is a fault all
// the same, just nobody knows where.
func (o *Object) site(index int) FaultSite {
	if index < len(o.sites) {
		return o.sites[index]
	}
	return FaultSite{Kind: fmt.Sprintf("fault number %d, of which the object says nothing", index)}
}

func readFaultSites(f *elfFile) ([]FaultSite, error) {
	s := f.section(faultinfo.Section)
	if s == nil {
		return nil, nil
	}
	data, err := f.contents(s)
	if err != nil {
		return nil, err
	}
	table, err := faultinfo.Read(data)
	if err != nil {
		return nil, err
	}
	sites := make([]FaultSite, len(table))
	for i, t := range table {
		sites[i] = FaultSite{Pos{t.File, t.Line, t.Col}, t.Kind}
	}
	return sites, nil
}
