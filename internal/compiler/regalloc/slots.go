package regalloc

import "github.com/waggle-bpf/waggle/internal/compiler/mach"

// This file gives spilled values their places in the frame.

// homeIn returns the home that i stores to or loads from, nil for other
// instructions.
func homeIn(i *mach.Insn) *home {
	h, _ := i.Sym.(*home)
	return h
}

// placeHomes removes stores that nobody reads, colours the homes so that those
// that live at different times share a slot, and writes the offsets.
func (a *allocator) placeHomes() {
	if a.homes == 0 {
		return
	}
	a.forwardHomes()
	a.sinkStores()
	_, out := a.liveHomes()
	apart := make([]set, a.homes) // interference
	for h := range apart {
		apart[h] = a.newHomeSet()
	}
	used := a.newHomeSet()
	for _, b := range a.f.Blocks {
		a.walkHomes(b, out[b.Index], apart, used)
	}
	place, slots := colourHomes(apart, used)
	base := a.f.FrameSize
	for _, b := range a.f.Blocks {
		for n := range b.Insns {
			i := &b.Insns[n]
			h := homeIn(i)
			if h == nil {
				continue
			}
			i.Sym, i.Off = nil, int16(-base-8*int64(place[h.id]+1))
			if i.Op.Class() == mach.ClassSTX {
				a.stats.Stores++
			} else {
				a.stats.Loads++
			}
		}
	}
	a.stats.Slots = slots
	a.f.FrameSize = base + 8*int64(slots)
}

func (a *allocator) newHomeSet() set { return mach.NewRegSet(mach.Reg(a.homes)) }

// liveHomes computes the homes that are read from the start of each block on,
// before they are written, and from its end.
func (a *allocator) liveHomes() (in, out []set) {
	n := len(a.f.Blocks)
	in, out = make([]set, n), make([]set, n)
	post := a.f.PostOrder()
	for k := range n {
		in[k], out[k] = a.newHomeSet(), a.newHomeSet()
	}
	for changed := true; changed; {
		changed = false
		for _, b := range post {
			for _, s := range b.Succs {
				out[b.Index].AddAll(in[s.Index])
			}
			now := a.newHomeSet()
			now.Copy(out[b.Index])
			for k := len(b.Insns) - 1; k >= 0; k-- {
				if h := homeIn(&b.Insns[k]); h == nil {
				} else if id := mach.Reg(h.id); b.Insns[k].Op.Class() == mach.ClassSTX {
					now.Remove(id)
				} else {
					now.Add(id)
				}
			}
			changed = replace(in[b.Index], now) || changed
		}
	}
	for id := range in[0].All {
		panic("BUG: spill slot is read before it is written: " + name(a.f) + " " + id.String())
	}
	return in, out
}

// walkHomes removes dead stores from b and notes which homes are used and which
// must be apart.
func (a *allocator) walkHomes(b *mach.Block, live set, apart []set, used set) {
	kept := len(b.Insns)
	for n := len(b.Insns) - 1; n >= 0; n-- {
		i := b.Insns[n]
		if h := homeIn(&i); h != nil {
			id := mach.Reg(h.id)
			if i.Op.Class() == mach.ClassSTX {
				if !live.Has(id) {
					continue
				}
				live.Remove(id)
				for other := range live.All {
					apart[id].Add(other)
					apart[other].Add(id)
				}
			} else {
				live.Add(id)
			}
			used.Add(id)
		}
		kept--
		b.Insns[kept] = i
	}
	b.Insns = b.Insns[kept:]
}

// colourHomes gives each used home the first slot that none of its neighbours
// has, and returns the number of slots.
func colourHomes(apart []set, used set) (place []int, slots int) {
	place = make([]int, len(apart))
	for h := range place {
		place[h] = -1
	}
	for h := range used.All {
		taken := make([]bool, slots+1)
		for other := range apart[h].All {
			if p := place[other]; p >= 0 {
				taken[p] = true
			}
		}
		p := 0
		for taken[p] {
			p++
		}
		place[h] = p
		slots = max(slots, p+1)
	}
	return place, slots
}
