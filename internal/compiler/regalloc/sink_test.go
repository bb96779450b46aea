package regalloc

import (
	"testing"

	"github.com/waggle-bpf/waggle/internal/compiler/mach"
)

const (
	opStore = mach.Opcode(mach.ClassSTX) | mach.ModeMEM | mach.SizeDW
	opLoad  = mach.Opcode(mach.ClassLDX) | mach.ModeMEM | mach.SizeDW
	opLimit = mach.Opcode(mach.ClassJMP) | mach.Jgt
	opMove  = mach.Opcode(mach.ClassALU64) | mach.Mov
)

// diamond is a block that branches to two others: r6 is stored in the first, and
// read again in those that reads tells of.
func diamond(behind []mach.Insn, compared mach.Reg, reads [2]bool) (*allocator, *home) {
	h := &home{}
	store := mach.Insn{Op: opStore, Dst: mach.R10, Src: mach.R6, Sym: h}
	load := mach.Insn{Op: opLoad, Dst: mach.R0, Src: mach.R10, Sym: h}
	exit := mach.Insn{Op: mach.EXIT}
	first := &mach.Block{ID: 0, Insns: []mach.Insn{{Op: opMove, Dst: mach.R6, Imm: 7}, {Op: opMove, Dst: mach.R7, Imm: 7}, store}}
	first.Insns = append(append(first.Insns, behind...), mach.Insn{Op: opLimit, Dst: compared, Imm: 100})
	f := &mach.Func{Blocks: []*mach.Block{first}}
	for i, r := range reads {
		b := &mach.Block{ID: i + 1, Insns: []mach.Insn{{Op: opMove, Dst: mach.R0}, exit}, Preds: []*mach.Block{first}}
		if r {
			b.Insns[0] = load
		}
		first.Succs = append(first.Succs, b)
		f.Blocks = append(f.Blocks, b)
	}
	a := newAllocator(f, strategies[0])
	a.homes = 1
	return a, h
}

func TestSinkStores(t *testing.T) {
	tests := []struct {
		name     string
		behind   []mach.Insn
		compared mach.Reg
		reads    [2]bool
		want     [3]int // stores in each block
	}{
		{name: "one way reads", compared: mach.R7, reads: [2]bool{true, false}, want: [3]int{0, 1, 0}},
		{name: "both read what was compared", compared: mach.R6, reads: [2]bool{true, true}, want: [3]int{0, 1, 1}},
		{name: "both read something else", compared: mach.R7, reads: [2]bool{true, true}, want: [3]int{1, 0, 0}},
		{name: "changed behind", behind: []mach.Insn{{Op: opMove, Dst: mach.R6, Imm: 1}}, compared: mach.R6,
			reads: [2]bool{true, false}, want: [3]int{1, 0, 0}},
		{name: "call behind", behind: []mach.Insn{{Op: mach.CALL, Imm: 5}}, compared: mach.R6,
			reads: [2]bool{true, false}, want: [3]int{0, 1, 0}},
	}
	for _, test := range tests {
		a, h := diamond(test.behind, test.compared, test.reads)
		a.sinkStores()
		for n, b := range a.f.Blocks {
			stores := 0
			for k := range b.Insns {
				if homeIn(&b.Insns[k]) == h && b.Insns[k].Op == opStore {
					stores++
					if n > 0 && k > 0 {
						t.Errorf("%s: block %d stores behind the start", test.name, n)
					}
				}
			}
			if stores != test.want[n] {
				t.Errorf("%s: %d stores in block %d, want %d", test.name, stores, n, test.want[n])
			}
		}
	}
}

// A store does not go where another way comes in, or into a loop.
func TestSinkStoresStays(t *testing.T) {
	a, _ := diamond(nil, mach.R6, [2]bool{true, false})
	a.f.Blocks[1].Preds = append(a.f.Blocks[1].Preds, a.f.Blocks[2])
	a.sinkStores()
	if n := len(a.f.Blocks[1].Insns); n != 2 {
		t.Errorf("%d instructions where two ways meet, want 2", n)
	}
	a, _ = diamond(nil, mach.R6, [2]bool{true, false})
	a.f.Blocks[1].Depth = 1
	a.sinkStores()
	if n := len(a.f.Blocks[1].Insns); n != 2 {
		t.Errorf("%d instructions in the loop, want 2", n)
	}
}
