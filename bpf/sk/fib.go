package sk

// FIBFlag controls the FIBLookup methods of xdp.Context and tc.Context;
// BPF_FIB_LOOKUP_* in include/uapi/linux/bpf.h.
type FIBFlag uint32

// The flags of FIBLookup.
const (
	FIBDirect FIBFlag = 1 << 0 // the main table only, no rules
	FIBOutput FIBFlag = 1 << 1 // as for a packet that leaves, not one that arrived
)

// FIBResult is the outcome of a FIBLookup: below 0 an error number, else one of
// BPF_FIB_LKUP_RET_* in include/uapi/linux/bpf.h.
type FIBResult int32

// The outcomes of FIBLookup.
const (
	FIBSuccess     FIBResult = 0 // the answer is filled in
	FIBBlackhole   FIBResult = 1 // drop it
	FIBUnreachable FIBResult = 2 // drop it
	FIBProhibit    FIBResult = 3 // drop it
	FIBNotForward  FIBResult = 4 // it is for this machine
	FIBDisabled    FIBResult = 5 // forwarding is off
	FIBEncap       FIBResult = 6 // it needs a tunnel
	FIBNoNeighbour FIBResult = 7 // the neighbour's address is not known
	FIBTooBig      FIBResult = 8 // it exceeds the MTU
)
