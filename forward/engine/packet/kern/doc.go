// Package kern is the kernel half of the packet engine and the types that both
// halves share.
//
// The forwarder holds two TCP connections, one to the client and one to the
// backend, and copies between them. Once nothing is on its way inside it, the two
// can become one: from then on the programs here rewrite each packet of the one
// connection into a packet of the other (addresses, ports, sequence numbers, time
// stamps, window) and send it on, and the forwarder sees no byte any more. The idea
// is TCP splicing: Maltz and Bhagwat, "TCP Splicing for Application Layer Proxy
// Performance", IBM RC 21139, 1998.
//
// A pair is spliced at a packet that finds it quiescent: all bytes that either
// socket has received have been acknowledged by the other one's peer, which they
// can only be if the forwarder has read and written them. The programs read that
// from the sockets themselves, so user space has nothing to report, and no moment
// is missed. A sender that never pauses is brought to by holding still the edge of
// the window that the forwarder advertises to it: when it has filled the window and
// all has been passed on, the last acknowledgement is the packet that splices.
package kern
