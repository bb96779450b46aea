// Package tcpflow puts the segments of one direction of a TCP connection back
// into order, for a listener that sees them on the wire: late, twice, in pieces,
// or not at all.
//
// A [Flow] is given segments as they come and hands every byte of the stream to
// a [Consumer] once, in order. Whatever it has handed over before is dropped, so
// retransmissions, and packets seen on several interfaces, vanish here. Segments
// from beyond a gap are held until the gap is filled, or until one of the limits
// says that it never will be; then the consumer is told and the stream goes on
// behind the gap.
//
// A consumer that knows that the next n bytes don't matter says so, and the flow
// neither waits for them nor cares when some are missing. That is what keeps
// file uploads from costing anything: [Flow.Next] names the next byte of
// interest, up to which nobody need copy packets.
//
// Held segments are copied into buffers of a [Pool], which all flows share and
// which bounds their memory. Nothing else is allocated.
package tcpflow
