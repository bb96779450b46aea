package kern

import "github.com/waggle-bpf/waggle/bpf"

// Slots is how many pairs there may be at a time, of all forwarders in a network
// namespace together. What finds no slot stays with the mover.
const Slots = 1 << 14

// Flows leads from a connection to its pair.
var Flows = bpf.Hash[Tuple, Ref]{MaxEntries: 2 * Slots, Flags: bpf.NoPrealloc}

// Conns holds the pairs.
var Conns = bpf.Array[Conn]{MaxEntries: Slots}

// Meters holds what user space sees of them.
var Meters = bpf.Array[Meter]{MaxEntries: Slots, Flags: bpf.Mmapable}

// Events tells of pairs, by their slots, that something has become of them: they were
// spliced, a side was reset, or they have ended. What it was their meters say. It is
// not shared: it belongs to the process whose programs these are.
var Events = bpf.RingBuf[uint32]{MaxEntries: 64 << 10}

// Counts adds up packets.
var Counts = bpf.PerCPUArray[Totals]{MaxEntries: 1}
