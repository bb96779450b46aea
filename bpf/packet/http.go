package packet

// Method is a method of HTTP (RFC 9110 9.3).
type Method uint8

// The methods.
const (
	NoMethod Method = iota
	GET
	HEAD
	POST
	PUT
	DELETE
	CONNECT
	OPTIONS
	TRACE
	PATCH
)

var methodNames = [...]string{
	"", "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
}

// String returns the method as the request line has it. It exists outside the
// kernel only.
func (m Method) String() string {
	if int(m) >= len(methodNames) {
		return ""
	}
	return methodNames[m]
}

// HTTPMethod returns the method of the HTTP/1 request that b starts with, and
// the offset behind the space that follows; NoMethod if b is something else.
func HTTPMethod(b Bytes) (m Method, target int) {
	switch {
	case b.HasPrefix("GET "):
		return GET, 4
	case b.HasPrefix("POST "):
		return POST, 5
	case b.HasPrefix("HEAD "):
		return HEAD, 5
	case b.HasPrefix("PUT "):
		return PUT, 4
	case b.HasPrefix("DELETE "):
		return DELETE, 7
	case b.HasPrefix("OPTIONS "):
		return OPTIONS, 8
	case b.HasPrefix("PATCH "):
		return PATCH, 6
	case b.HasPrefix("CONNECT "):
		return CONNECT, 8
	case b.HasPrefix("TRACE "):
		return TRACE, 6
	}
	return NoMethod, 0
}

// MaxTarget is how much of a request target HTTPRequest looks through, in bytes.
const MaxTarget = 256

// RequestLine says where the parts of an HTTP/1 request line are: offsets into
// the bytes it was found in.
type RequestLine struct {
	Method Method // NoMethod: this is no request
	// The target is the bytes from Target up to TargetEnd. TargetEnd is 0 if
	// the target is longer than MaxTarget or goes on in the next packet.
	Target, TargetEnd int
	// Minor is the minor version: 1 for HTTP/1.1. It is -1 if it is not there.
	Minor int
}

// HTTPRequest reads the request line that b starts with.
func HTTPRequest(b Bytes) (l RequestLine) {
	l.Method, l.Target = HTTPMethod(b)
	l.Minor = -1
	if l.Method == NoMethod {
		return l
	}
	off := l.Target
	for range MaxTarget + 1 {
		c := At[uint8](b, off)
		if c == nil || *c <= '\r' {
			return l // the line ends early
		}
		if *c == ' ' {
			l.TargetEnd = off
			l.Minor = httpMinor(b, off+1)
			return l
		}
		off++
	}
	return l
}

// httpMinor reads "HTTP/1.x" at off.
func httpMinor(b Bytes, off int) int {
	if off > len(b) {
		return -1
	}
	v := b[off:]
	if !v.HasPrefix("HTTP/1.") {
		return -1
	}
	c := At[uint8](v, len("HTTP/1."))
	if c == nil || *c < '0' || *c > '9' {
		return -1
	}
	return int(*c - '0')
}

// HTTPStatus returns the status code of the HTTP/1 response that b starts with;
// 0 if b is something else.
func HTTPStatus(b Bytes) int {
	if !b.HasPrefix("HTTP/1.") {
		return 0
	}
	d := At[[4]uint8](b, len("HTTP/1.1"))
	if d == nil || d[0] != ' ' {
		return 0
	}
	status := 0
	for i := 1; i < len(d); i++ {
		c := d[i]
		if c < '0' || c > '9' {
			return 0
		}
		status = 10*status + int(c-'0')
	}
	return status
}
