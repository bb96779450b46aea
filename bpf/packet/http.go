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

// HTTPMethod returns the method of the HTTP/1 request that b starts with; NoMethod
// if b is something else, or less than eight bytes of it.
func HTTPMethod(b Bytes) Method {
	w := At[uint64](b, 0)
	if w == nil {
		return NoMethod
	}
	m := &methodTable[methodHash(*w)]
	if *w&m.mask != m.text {
		return NoMethod
	}
	return m.method
}

// methodHash tells the methods apart by their first two bytes.
func methodHash(w uint64) uint64 { return w & 0xffff * 81 >> 7 & 15 }

// methodTable holds the methods and the space behind them as little-endian
// numbers, by methodHash. A table, because the verifier follows every way through
// a switch, and the rest of the program behind each.
//
//bpf:const
var methodTable = [16]struct {
	text, mask uint64
	method     Method
}{
	0:  {0x2054534f50, 1<<40 - 1, POST},
	1:  {0x20534e4f4954504f, 1<<64 - 1, OPTIONS},
	4:  {0x204843544150, 1<<48 - 1, PATCH},
	5:  {0x204554454c4544, 1<<56 - 1, DELETE},
	6:  {0x20544547, 1<<32 - 1, GET},
	7:  {0x2044414548, 1<<40 - 1, HEAD},
	8:  {0x205443454e4e4f43, 1<<64 - 1, CONNECT},
	9:  {0x204543415254, 1<<48 - 1, TRACE},
	12: {0x20545550, 1<<32 - 1, PUT},
}

// MaxTarget is how much of a request target HTTPRequest looks through, in bytes.
const MaxTarget = 256

// RequestLine says where the parts of an HTTP/1 request line are: offsets into
// the bytes it was found in.
type RequestLine struct {
	Method Method // NoMethod: this is no request
	// The target is the bytes from Target up to TargetEnd. TargetEnd is 0 if
	// the target is longer than MaxTarget or the line is not all there.
	Target, TargetEnd int
	// Minor is the minor version: 1 for HTTP/1.1. It is -1 if it is not there.
	Minor int
}

// HTTPRequest reads the request line that b starts with. It looks at eight bytes
// at a time: a line that is all there has more than that behind its target.
func HTTPRequest(b Bytes) (l RequestLine) {
	l.Minor = -1
	l.Method = HTTPMethod(b)
	start := At[uint64](b, 0)
	if l.Method == NoMethod || start == nil {
		return l
	}
	// Taken from the bytes and not from the method, because to the verifier
	// this is one number.
	l.Target = firstBlank(*start) + 1
	off := l.Target
	for range MaxTarget/8 + 1 {
		w := At[uint64](b, off)
		if w == nil {
			break
		}
		n := firstBlank(*w)
		off += n
		if n < 8 {
			l.endTarget(b, off)
			break
		}
	}
	return l
}

// endTarget notes the end of the target at off, if a space is what ends it.
func (l *RequestLine) endTarget(b Bytes, off int) {
	blank := At[uint8](b, off)
	if blank == nil || *blank != ' ' || off-l.Target > MaxTarget {
		return
	}
	l.TargetEnd = off
	if v := At[uint64](b, off+1); v != nil && *v&versionMask == version1 {
		l.Minor = int(*v>>56) - '0'
	}
}

// "HTTP/1.", and a digit left out, as a little-endian number.
const (
	version1    = 0x2e312f50545448
	versionMask = 1<<56 - 1
)

// firstBlank returns the index of the first byte of w, as it lies in memory, that
// is a space or control character; 8 if there is none. It is the classic test
// for a byte below n, (w - n*ones) &^ w & 0x80*ones, exact for the first.
func firstBlank(w uint64) int {
	const ones = 0x0101010101010101
	below := (w - 0x21*ones) &^ w & (0x80 * ones)
	// The bits below the first one set, as bytes of 1, are counted by a
	// multiplication that adds them up in the top byte.
	before := (below & -below) - 1
	return int((before>>7&ones)*ones>>56) & 15
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
