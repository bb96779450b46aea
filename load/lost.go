package load

import "fmt"

// lostMap is the per-CPU array in which programs count the events they could
// not put into a buffer. Its key is the index of the buffer among the
// object's maps, as Object.Maps lists them; its value a uint64.
const lostMap = "waggle_lost"

// Lost says how many events for a buffer were lost in the kernel.
type Lost struct {
	Map   string
	Count uint64
}

// Lost lists the buffers for which the object's programs have counted lost
// events. Objects that do not count them have none; for those that do so in a
// way of their own, read their map.
func (h *Handle) Lost() ([]Lost, error) {
	if h.coll.Maps[lostMap] == nil {
		return nil, nil
	}
	var lost []Lost
	for _, info := range h.obj.Maps() {
		n, err := h.lostFor(info.Name)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			lost = append(lost, Lost{info.Name, n})
		}
	}
	return lost, nil
}

// lostFor reads the counter of one buffer; 0 if nobody counts.
func (h *Handle) lostFor(name string) (uint64, error) {
	index, ok := h.obj.mapIndex(name)
	if !ok || h.coll.Maps[lostMap] == nil {
		return 0, nil
	}
	counters, err := PerCPUMapOf[uint32, uint64](h, lostMap)
	if err != nil {
		return 0, fmt.Errorf("read lost events of %s: %w", name, err)
	}
	if index >= counters.m.MaxEntries() {
		return 0, nil
	}
	perCPU, err := counters.Get(index)
	if err != nil {
		return 0, fmt.Errorf("read lost events of %s: %w", name, err)
	}
	return Sum(perCPU), nil
}

// mapIndex is the number of a map among those the object declares, in the
// order of the file. Objects that come from no file have no such order.
func (o *Object) mapIndex(name string) (uint32, bool) {
	if !o.hasOrder {
		return 0, false
	}
	index := uint32(0)
	for _, n := range o.maps {
		if n == name {
			return index, true
		}
		if !holdsVariables(n) {
			index++
		}
	}
	return 0, false
}
