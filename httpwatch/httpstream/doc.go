// Package httpstream finds the requests in what a client sends on a connection
// that speaks HTTP/1.x (RFC 9112).
//
// A [Parser] takes the bytes of one direction in order, in pieces of any size,
// one byte included, and stops after every request head:
//
//	for len(b) > 0 {
//		n, event := p.Next(b)
//		b = b[n:]
//		switch event {
//		case httpstream.Head:
//			use(p.Request())
//		case httpstream.Broken:
//			return // no HTTP/1.x (any more)
//		}
//	}
//
// It is a listener, not an endpoint, and that decides what it is strict about.
// Whatever decides where the next request starts (Content-Length, the chunked
// coding, the start line's shape) follows the RFC, because a mistake there would
// turn a body into requests. Everything else is taken as it comes: bare line
// feeds, folded fields, blanks inside a target, methods nobody has heard of.
//
// Memory is bounded: of a head only the start line and the fields that matter
// are kept, so a head may be of any length; a start line may be MaxStartLine
// bytes long. Once its buffers have grown a Parser does not allocate.
package httpstream
