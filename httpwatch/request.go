package httpwatch

import (
	"net/netip"
	"time"

	"github.com/waggle-bpf/waggle/httpwatch/kern"
)

// Request is an HTTP request as it was seen on the wire. It and its byte slices
// are valid only until the function it was given to returns.
type Request struct {
	// Time is when the packet with the request's first byte was seen.
	Time time.Time
	// Src is the client, Dst the server. IPv4 addresses are plain, not mapped
	// into IPv6.
	Src, Dst netip.AddrPort
	// Method and Target are as sent: the target may be in any form, includes
	// the query, and may hold any byte but a line feed.
	Method, Target []byte
	// Host is the host that the request names, with the port if it has one:
	// from an absolute target or else the Host field. It may be empty.
	Host []byte
	// Proto is "HTTP/1.0" or "HTTP/1.1".
	Proto string
}

// protos are the names of the protocol versions by minor number.
var protos = [...]string{
	"HTTP/1.0", "HTTP/1.1", "HTTP/1.2", "HTTP/1.3", "HTTP/1.4",
	"HTTP/1.5", "HTTP/1.6", "HTTP/1.7", "HTTP/1.8", "HTTP/1.9",
}

// ends returns the two ends of a flow.
func ends(f *kern.Flow) (src, dst netip.AddrPort) {
	return netip.AddrPortFrom(netip.AddrFrom16(f.Src).Unmap(), f.SrcPort),
		netip.AddrPortFrom(netip.AddrFrom16(f.Dst).Unmap(), f.DstPort)
}
