// Package head tells what the first bytes of a TCP connection say: which protocol it
// is, and what a forwarder can route by without taking part in the protocol.
//
//	protocol                 known from                      what it tells
//	TLS (RFC 8446, 5246)     the ClientHello's first bytes   server name, ALPN, encrypted hello
//	HTTP/1 (RFC 9112)        the end of the request line     method, host, path, header fields
//	HTTP/2 (RFC 9113 3.4)    the client's preface            nothing more
//	SSH (RFC 4253 4.2)       "SSH-"                          the client's banner
//
// A [Parser] is given the bytes of one connection as they arrive:
//
//	var p head.Parser
//	for p.Parse(buf[:n]) == head.More {
//		n += read(buf[n:])
//	}
//	fmt.Println(p.Head().Protocol, p.Head().SNI)
//
// Results depend on the bytes alone, not on how they were cut into segments, and once
// known never change. What was looked at is not looked at again, so that a client that
// sends single bytes costs no more than one that doesn't.
//
// The package is strict where two readers of the same bytes could disagree about where
// they should go: two Host fields, folded lines, blanks before a colon, a Host that
// contradicts the target, ".." above the root are malformed, although some servers take
// them. It knows the first request of a connection only, and of an encrypted ClientHello
// only the outer name, which is the one meant for routing.
package head
