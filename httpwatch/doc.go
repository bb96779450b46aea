// Package httpwatch shows the HTTP/1 requests that pass a machine's network interfaces,
// whoever sends or serves them: the tool behind "waggle trace http".
//
//	summary, err := httpwatch.Run(ctx, httpwatch.Options{
//		Sink: httpwatch.NewTextSink(os.Stdout),
//	})
//
// It has two halves. Package kern, in the kernel, sees the packets and sends those that
// may be part of requests through a ring buffer. This package puts them in order (package
// tcpflow), finds the requests in them (package httpstream) and gives these to a [Sink].
// It tells the kernel half about connections that are not HTTP and about long bodies, whose
// packets then cost next to nothing.
//
// # What is seen
//
// Every request in the order in which its client sent it, once, however often its packets
// pass: TCP sequence numbers tell what is new, so retransmissions and packets seen on
// several interfaces don't count twice. Keep-alive, pipelining, heads and even methods in
// several segments, bodies of all kinds, IPv4 and IPv6, up to two VLAN tags, super-packets
// of the segmentation offloads. A request is shown when its head is complete.
//
// A connection that was there before is picked up at the next segment that starts with a
// request; what comes before that on it is not seen. After an Upgrade or CONNECT that the
// server agrees to, a connection is no longer HTTP.
//
// # What is not seen
//
// Requests inside TLS or tunnels, HTTP/2 and 3. Packets in IP fragments. Connections of
// other network namespaces, except where their packets pass an interface of this one.
// Traffic that never becomes packets, as between sockets joined by sockmap. Requests behind
// address translation are seen once for each pair of addresses they travel under.
//
// # Loss
//
// Nothing is sampled, and nothing is lost silently. [Summary] tells by stage what was:
// records that found no room in the ring ([Options].RingBytes), gaps in a connection that
// were not filled within a second, connections forgotten because there were too many
// ([Options].MaxConnections), faults of the kernel half.
package httpwatch
