package tcpflow

// Pool holds the memory for segments that wait. Flows of one goroutine share
// it. The limits count what is really used: a segment of one byte takes as much
// as one of smallBuffer.
type Pool struct {
	FlowLimit int // what one flow may hold, in bytes
	Limit     int // what all flows together may hold, in bytes

	used int
	free [len(bufferSizes)]*held
}

// held is a segment in a list: of a flow, or of the pool's free ones.
type held struct {
	Segment
	next  *held
	class int // index into bufferSizes; or len(bufferSizes) if larger
	buf   []byte
}

// bufferSizes are the classes of buffers: single small writes, a packet, a piece
// of a super-packet.
var bufferSizes = [...]int{256, 2048, 32768}

// Used returns the memory in use by held segments in bytes.
func (p *Pool) Used() int { return p.used }

// get returns a copy of s.
func (p *Pool) get(s Segment) *held {
	class := 0
	for class < len(bufferSizes) && bufferSizes[class] < len(s.Data) {
		class++
	}
	h := p.alloc(class, len(s.Data))
	p.used += len(h.buf)
	h.Segment = s
	h.Data = h.buf[:copy(h.buf, s.Data)]
	return h
}

func (p *Pool) alloc(class, size int) *held {
	if class == len(bufferSizes) {
		return &held{class: class, buf: make([]byte, size)}
	}
	if h := p.free[class]; h != nil {
		p.free[class], h.next = h.next, nil
		return h
	}
	return &held{class: class, buf: make([]byte, bufferSizes[class])}
}

// put takes h back.
func (p *Pool) put(h *held) {
	p.used -= len(h.buf)
	if h.class < len(bufferSizes) {
		h.next, p.free[h.class] = p.free[h.class], h
	}
}

// hold keeps a copy of s in its place in the list, unless a segment that begins
// there is at least as long. It reports whether it kept it.
func (f *Flow) hold(s Segment) bool {
	place := &f.held
	for *place != nil && int32((*place).Seq-s.Seq) < 0 {
		place = &(*place).next
	}
	if h := *place; h != nil && h.Seq == s.Seq {
		if len(h.Data) >= len(s.Data) {
			return false
		}
		*place = h.next
		f.release(h)
	}
	h := f.pool.get(s)
	f.size += len(h.buf)
	h.next, *place = *place, h
	return true
}

// take unlinks the first held segment. The caller puts it back into the pool.
func (f *Flow) take() *held {
	h := f.held
	f.held = h.next
	f.size -= len(h.buf)
	return h
}

func (f *Flow) release(h *held) {
	f.size -= len(h.buf)
	f.pool.put(h)
}

func (f *Flow) drop() {
	for f.held != nil {
		f.pool.put(f.take())
	}
}
