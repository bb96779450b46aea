package pass

import (
	"go/types"

	"github.com/waggle-bpf/waggle/internal/compiler/ir"
)

// FaultMapName is the hidden map that counts faults by site.
const FaultMapName = "waggle_faults"

// mapPerCPUArray and helperLookup are BPF_MAP_TYPE_PERCPU_ARRAY and
// bpf_map_lookup_elem.
const (
	mapPerCPUArray = 6
	helperLookup   = 1
)

// expandFaults turns fault terminators into code: all faults of a function
// meet in one block that counts the site and leaves.
func expandFaults(m *ir.Module) error {
	dropUnusedSites(m)
	for _, f := range m.Funcs {
		var counted, propagated []*ir.Block
		for _, b := range f.Blocks {
			if b.Term != ir.TermFault {
				continue
			}
			if b.Fault == ir.FaultPropagated {
				propagated = append(propagated, b)
			} else {
				counted = append(counted, b)
			}
		}
		if len(counted)+len(propagated) == 0 {
			continue
		}
		leave := faultExit(f)
		for _, b := range propagated {
			b.SetJump(leave)
		}
		if len(counted) > 0 {
			countFaults(m, f, counted, leave)
		}
	}
	return nil
}

// dropUnusedSites renumbers the sites that survived optimisation.
func dropUnusedSites(m *ir.Module) {
	index := map[int64]int64{}
	var kept []ir.FaultSite
	for _, f := range m.Funcs {
		for _, b := range f.Blocks {
			if b.Term != ir.TermFault || b.Fault == ir.FaultPropagated {
				continue
			}
			n, ok := index[b.Fault]
			if !ok {
				n = int64(len(kept))
				index[b.Fault] = n
				kept = append(kept, m.Faults[b.Fault])
			}
			b.Fault = n
		}
	}
	m.Faults = kept
	if len(kept) == 0 {
		return
	}
	m.FaultMap = &ir.Map{
		Name: FaultMapName, Kind: mapPerCPUArray, KeySize: 4, ValueSize: 8, Hidden: true,
		Key: types.Typ[types.Uint32], Value: types.Typ[types.Uint64], MaxEntries: uint32(len(kept)),
	}
	m.Maps = append(m.Maps, m.FaultMap)
}

// faultExit makes the block that leaves a function which faulted: a program
// returns its verdict, a subprogram the flag that its callers test.
func faultExit(f *ir.Func) *ir.Block {
	b := f.NewBlock()
	b.Pos = f.Pos
	verdict := b.Append(ir.OpConst, ir.I64, f.Pos)
	verdict.Int = 1
	if f.Prog != nil {
		verdict.Int = f.Prog.Verdict
	}
	b.SetRet(f.Pos, verdict)
	return b
}

// countFaults makes the block that adds one to a site's counter.
func countFaults(m *ir.Module, f *ir.Func, blocks []*ir.Block, leave *ir.Block) {
	count := f.NewBlock()
	count.Pos = f.Pos
	site := count.Append(ir.OpPhi, ir.I32, f.Pos)
	for _, b := range blocks {
		n := b.Append(ir.OpConst, ir.I32, b.Pos)
		n.Int = b.Fault
		b.SetJump(count)
		site.Args = append(site.Args, n)
	}
	key := count.Append(ir.OpSlotAddr, ir.Ptr, f.Pos)
	key.Aux = f.NewSlot("fault", 4, 4, f.Pos)
	count.Append(ir.OpStore, ir.Void, f.Pos, key, site)
	fm := count.Append(ir.OpMapAddr, ir.Ptr, f.Pos)
	fm.Aux = m.FaultMap
	counter := count.Append(ir.OpHelper, ir.Ptr, f.Pos, fm, key)
	counter.Int = helperLookup
	counter.Aux = &ir.HelperCall{Name: "map_lookup_elem", Pure: true, Reads: [5]int64{1: 4}}
	null := count.Append(ir.OpConst, ir.Ptr, f.Pos)
	found := count.Append(ir.OpNe, ir.I32, f.Pos, counter, null)
	add := f.NewBlock()
	add.Pos = f.Pos
	count.SetIf(found, add, leave, f.Pos)
	one := add.Append(ir.OpConst, ir.I64, f.Pos)
	one.Int = 1
	// Another program may interrupt this one on the same CPU and fault, too.
	add.Append(ir.OpAtomic, ir.I64, f.Pos, counter, one).Aux = ir.AtomicAdd
	add.SetJump(leave)
}
