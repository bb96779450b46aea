package bpf

// waggle_lost counts, for every ring buffer and perf event array of the object
// (see index), the records that programs could not send. The loader finds it by
// its name and adds it to its own count of losses.
var waggle_lost = PerCPUArray[uint64]{MaxEntries: 128}

// lost counts a record that could not be sent through map number i. A program
// may interrupt another one on its CPU, hence the atomic.
func lost(i uint32) {
	if n := waggle_lost.Lookup(i); n != nil {
		AtomicAdd(n, 1)
	}
}
