package link

import (
	"container/heap"
	"encoding/binary"
	"math/rand/v2"
	"time"
)

// Impairment says what a link does to packets, independently in each direction.
// The address resolution of both families is only delayed: repeating it takes a
// second, which says nothing about what is tested.
type Impairment struct {
	// Loss, Duplicate and Reorder are shares of all packets, 0 to 1.
	Loss, Duplicate float64
	// Reorder is the share that isn't delayed and so overtakes what is.
	Reorder float64
	// Delay is how long a packet is on its way.
	Delay time.Duration
	// Queue is how many packets are on their way at most; what comes then is
	// dropped. 10,000 if zero.
	Queue int
	// Seed determines what happens to which packet.
	Seed uint64
}

// Bad is a link as bad as it gets before people complain.
var Bad = Impairment{Loss: 0.02, Duplicate: 0.01, Reorder: 0.25, Delay: 20 * time.Millisecond, Seed: 1}

const defaultQueue = 10_000

func (im Impairment) queue() int {
	if im.Queue == 0 {
		return defaultQueue
	}
	return im.Queue
}

// fate is what becomes of a packet.
type fate struct {
	lost       bool
	duplicated bool
	reordered  bool
}

// judge draws what becomes of the next packet. It takes as many numbers for every
// packet, so that one's fate does not depend on another's.
func (im Impairment) judge(rng *rand.Rand, frame []byte) fate {
	f := fate{
		lost:       rng.Float64() < im.Loss,
		duplicated: rng.Float64() < im.Duplicate,
		reordered:  rng.Float64() < im.Reorder,
	}
	if resolvesAddresses(frame) {
		return fate{}
	}
	return f
}

// Values of EtherType, and of IPv6's next header.
const (
	etherARP  = 0x0806
	etherIPv6 = 0x86dd
	etherVLAN = 0x8100
	icmpv6    = 58
)

// resolvesAddresses tells ARP, and ICMPv6, which is neighbor discovery for the most
// part.
func resolvesAddresses(frame []byte) bool {
	const typeAt, tagSize, headerSize, nextHeaderAt = 12, 4, 14, 6
	if len(frame) >= headerSize+tagSize && binary.BigEndian.Uint16(frame[typeAt:]) == etherVLAN {
		frame = frame[tagSize:]
	}
	if len(frame) < headerSize {
		return false
	}
	switch binary.BigEndian.Uint16(frame[typeAt:]) {
	case etherARP:
		return true
	case etherIPv6:
		return len(frame) > headerSize+nextHeaderAt && frame[headerSize+nextHeaderAt] == icmpv6
	}
	return false
}

// packet is a frame on its way.
type packet struct {
	due   time.Time
	order uint64 // of arrival, for those due at the same time
	frame []byte
}

// flight holds packets in the order in which they are due.
type flight []packet

func (f flight) Len() int { return len(f) }
func (f flight) Less(i, j int) bool {
	if f[i].due.Equal(f[j].due) {
		return f[i].order < f[j].order
	}
	return f[i].due.Before(f[j].due)
}
func (f flight) Swap(i, j int) { f[i], f[j] = f[j], f[i] }

// Push is for package heap.
func (f *flight) Push(x any) { *f = append(*f, x.(packet)) }

// Pop is for package heap.
func (f *flight) Pop() any {
	last := len(*f) - 1
	p := (*f)[last]
	(*f)[last] = packet{}
	*f = (*f)[:last]
	return p
}

func (f *flight) add(p packet) { heap.Push(f, p) }

func (f *flight) take() packet { return heap.Pop(f).(packet) }
