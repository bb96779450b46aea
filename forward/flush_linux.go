package forward

import "github.com/waggle-bpf/waggle/forward/engine/packet"

// Flush ends the connections that go on in this network namespace without a forwarder,
// and removes what engine packet has pinned for them. It returns how many it has ended.
// What running forwarders have stays.
func Flush() (int, error) { return packet.Flush("") }
