package kern

import "github.com/waggle-bpf/waggle/bpf"

// Port, if not 0, is the only server port to watch. Settable before load.
//
//bpf:const
var Port uint16

// Events carries the records to user space.
var Events = bpf.RingBuf[Record]{MaxEntries: 16 << 20}

// Flows holds what the programs know about each direction of each connection.
// Losing an entry loses nothing but a request whose head is under way: the flow is
// then followed like one that was there before the programs were.
var Flows = bpf.LRUHash[Flow, State]{MaxEntries: 1 << 16}

// Verdicts holds what user space has said and the programs have not seen yet.
var Verdicts = bpf.LRUHash[Flow, Verdict]{MaxEntries: 1 << 12}

// Traffic counts what the programs see.
var Traffic = bpf.PerCPUArray[Counters]{MaxEntries: 1}

// record is where records are made, and current holds the segment at hand: not so
// much because the stack is small as because the verifier does not follow what is in
// a map's memory, and so has one case to think through where it would have thousands.
var (
	record  bpf.Scratch[Record]
	current bpf.Scratch[segment]
)
