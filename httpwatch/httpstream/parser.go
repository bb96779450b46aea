package httpstream

import "bytes"

// Limits on what a parser keeps of one line. They bound its memory, not the
// traffic: a field line that is longer is read to its end and only its first
// part is looked at.
const (
	// MaxStartLine is the length of the longest start line taken for one, in
	// bytes without the line end. Common servers stop at 8 to 32 KiB.
	MaxStartLine = 64 << 10
	// MaxMethod is the length of the longest method taken for one, in bytes. The
	// longest registered with IANA is UPDATEREDIRECTREF with 17.
	MaxMethod = 32

	maxFieldLine = 8 << 10 // one header, trailer or chunk-size line
	keepBuffer   = 4 << 10 // buffers larger than this are let go after use
)

// Event says why Next returned.
type Event uint8

const (
	// More: all bytes were taken and no further request head is complete.
	More Event = iota
	// Head: a request head is complete; Request describes it until the next
	// call of Next.
	Head
	// Broken: the bytes are not, or no longer, HTTP/1.x requests. Next keeps
	// answering Broken until Reset.
	Broken
)

// Parser finds the requests in one direction of a connection. The zero value
// expects the start of a request.
type Parser struct {
	state state
	left  uint64 // body or chunk bytes still to come
	line  []byte // the line so far, when it began in an earlier piece
	head  head
}

// state is the part of a message the next byte belongs to.
type state uint8

const (
	inStart     state = iota // a start line, or empty lines before one
	inFields                 // header fields
	inBody                   // a body of known length
	inChunkSize              // a chunk-size line
	inChunkData              // the bytes of a chunk
	inChunkEnd               // the line end after a chunk's bytes
	inTrailers               // trailer fields
	broken
)

// steps has a step for every state. A step takes what it can from the front of
// a non-empty b and says how much that was.
var steps = [...]func(p *Parser, b []byte) (n int, e Event){
	inStart:     (*Parser).start,
	inFields:    (*Parser).fields,
	inBody:      (*Parser).body,
	inChunkSize: (*Parser).chunkSize,
	inChunkData: (*Parser).chunkData,
	inChunkEnd:  (*Parser).chunkEnd,
	inTrailers:  (*Parser).trailers,
	broken:      (*Parser).refuse,
}

// Next takes bytes from the front of b, says how many, and stops at the first
// event. It takes all of b exactly if the event is More, except that Head may
// come with the last byte.
func (p *Parser) Next(b []byte) (n int, e Event) {
	for n < len(b) {
		took, e := steps[p.state](p, b[n:])
		n += took
		if e != More {
			return n, e
		}
	}
	return n, More
}

// Request describes the request whose head was completed last. It is valid
// until the next call of Next or Reset.
func (p *Parser) Request() *Request { return &p.head.request }

// Idle reports whether the parser stands between two requests.
func (p *Parser) Idle() bool { return p.state == inStart && len(p.line) == 0 }

// InStartLine reports whether the parser has begun a request but has not seen all
// of its start line.
func (p *Parser) InStartLine() bool { return p.state == inStart && len(p.line) > 0 }

// Partial returns the request whose start line is complete but whose head is
// not, and nil at any other time. It serves callers that know that the rest of
// the head will never come.
func (p *Parser) Partial() *Request {
	if p.state != inFields {
		return nil
	}
	p.head.finish()
	return &p.head.request
}

// TakeSkip returns how many of the next bytes are body and goes past them: the
// next byte given to Next must be the one after. Zero means that every byte
// matters.
func (p *Parser) TakeSkip() uint64 {
	n := p.left
	if n > 0 {
		p.took(n)
	}
	return n
}

// Reset makes the parser expect the start of a request.
func (p *Parser) Reset() {
	p.state, p.left, p.line = inStart, 0, reuse(p.line)
	p.head.reset()
}

// readLine takes a line from the front of b, without its line end and with what
// earlier pieces brought of it. ok is false if b holds no line end. Bytes beyond
// limit are dropped; a line of more than limit bytes is returned limit+1 long.
// The line is valid until the next call.
func (p *Parser) readLine(b []byte, limit int) (line []byte, n int, ok bool) {
	end := bytes.IndexByte(b, '\n')
	ok, n = end >= 0, end+1
	if !ok {
		end, n = len(b), len(b)
	}
	line = b[:end]
	if len(p.line) > 0 || !ok {
		// The line end may be CR LF, so a whole line may be one byte longer.
		p.line = append(p.line, line[:min(len(line), limit+2-len(p.line))]...)
		line = p.line
	}
	if !ok {
		return nil, n, false
	}
	p.line = reuse(p.line)
	if len(line) > 0 && line[len(line)-1] == '\r' {
		line = line[:len(line)-1]
	}
	return line[:min(len(line), limit+1)], n, true
}

func (p *Parser) start(b []byte) (int, Event) {
	line, n, ok := p.readLine(b, MaxStartLine)
	switch {
	case !ok && canStart(p.line):
		return n, More
	case !ok:
		return n, p.fail()
	case len(line) == 0: // RFC 9112 2.2: ignore empty lines before a request
		return n, More
	case !p.head.startLine(line):
		return n, p.fail()
	}
	p.state = inFields
	return n, More
}

func (p *Parser) fields(b []byte) (int, Event) {
	line, n, ok := p.readLine(b, maxFieldLine)
	switch {
	case !ok:
		return n, More
	case len(line) > 0:
		p.head.fieldLine(line)
		return n, More
	}
	p.head.finish()
	p.state, p.left = p.head.framing()
	return n, Head
}

func (p *Parser) body(b []byte) (int, Event) {
	n := min(uint64(len(b)), p.left)
	p.took(n)
	return int(n), More
}

// took goes n bytes on in a body or a chunk.
func (p *Parser) took(n uint64) {
	p.left -= n
	if p.left > 0 {
		return
	}
	if p.state == inChunkData {
		p.state = inChunkEnd
	} else {
		p.state = inStart
	}
}

func (p *Parser) chunkSize(b []byte) (int, Event) {
	line, n, ok := p.readLine(b, maxFieldLine)
	if !ok {
		return n, More
	}
	size, ok := parseChunkSize(line)
	switch {
	case !ok:
		return n, p.fail()
	case size == 0:
		p.state = inTrailers
	default:
		p.state, p.left = inChunkData, size
	}
	return n, More
}

func (p *Parser) chunkData(b []byte) (int, Event) { return p.body(b) }

func (p *Parser) chunkEnd(b []byte) (int, Event) {
	line, n, ok := p.readLine(b, maxFieldLine)
	switch {
	case !ok && len(p.line) == 1 && p.line[0] == '\r':
		return n, More
	case !ok || len(line) > 0:
		return n, p.fail()
	}
	p.state = inChunkSize
	return n, More
}

func (p *Parser) trailers(b []byte) (int, Event) {
	line, n, ok := p.readLine(b, maxFieldLine)
	if ok && len(line) == 0 {
		p.state = inStart
	}
	return n, More
}

func (p *Parser) refuse([]byte) (int, Event) { return 0, Broken }

// fail ends the parse. What is left of the input belongs to nobody.
func (p *Parser) fail() Event {
	p.state, p.line = broken, reuse(p.line)
	return Broken
}

// reuse empties a buffer, and lets go of one that a rare long line has blown up:
// there may be tens of thousands of parsers.
func reuse(b []byte) []byte {
	if cap(b) > keepBuffer {
		return nil
	}
	return b[:0]
}
