package httpstream

import "bytes"

// Request is what a request head says. The byte slices belong to the parser and
// are as sent: nothing is unescaped or normalised.
type Request struct {
	// Method is the method, case as sent.
	Method []byte
	// Target is the request target in any of its forms (RFC 9112 3.2), query
	// included.
	Target []byte
	// Host is where the request is addressed to: the authority of an absolute
	// target or a CONNECT, else the first Host field; empty if there is neither.
	Host []byte
	// Minor is the y of HTTP/1.y.
	Minor uint8
	// Switches says that the connection may speak another protocol after this
	// request: it is a CONNECT or carries an Upgrade field. The parser goes on
	// as if the server had refused.
	Switches bool
}

// field names the header fields that matter to a listener.
type field uint8

const (
	noField field = iota
	hostField
	lengthField
	codingField
	upgradeField
)

// fieldNames lists the fields by name, in lower case.
var fieldNames = [...]struct {
	name string
	field
}{
	{"host", hostField},
	{"content-length", lengthField},
	{"transfer-encoding", codingField},
	{"upgrade", upgradeField},
}

// head gathers what a request head says, line by line.
type head struct {
	request  Request
	text     []byte // backs Method and Target
	host     []byte // the Host field
	hasHost  bool
	field    field  // the field that a folded line would continue
	value    []byte // its value so far
	length   length
	coded    bool // there is a Transfer-Encoding
	chunked  bool // and its last coding is chunked
	upgrades bool
}

// length is what the Content-Length fields say.
type length struct {
	n       uint64
	present bool
	invalid bool
}

func (h *head) reset() {
	*h = head{text: reuse(h.text), host: reuse(h.host), value: reuse(h.value)}
}

// startLine begins a new head with its start line and reports whether the line
// is one.
func (h *head) startLine(line []byte) bool {
	h.reset()
	method, target, minor, ok := splitStartLine(line)
	if !ok {
		return false
	}
	h.text = append(append(h.text, method...), target...)
	h.request.Method = h.text[:len(method):len(method)]
	h.request.Target = h.text[len(method):]
	h.request.Minor = minor
	return true
}

// fieldLine takes one non-empty line of the header.
func (h *head) fieldLine(line []byte) {
	if line[0] == ' ' || line[0] == '\t' { // obs-fold, RFC 9112 5.2
		if h.field != noField && len(h.value) < maxFieldLine {
			h.value = append(append(h.value, ' '), trim(line)...)
		}
		return
	}
	h.commit()
	colon := bytes.IndexByte(line, ':')
	if colon < 0 {
		return
	}
	if h.field = lookupField(line[:colon]); h.field != noField {
		h.value = append(h.value[:0], trim(line[colon+1:])...)
	}
}

// commit takes note of the field gathered last.
func (h *head) commit() {
	switch h.field {
	case hostField:
		if !h.hasHost {
			h.host, h.hasHost = append(h.host, trim(h.value)...), true
		}
	case lengthField:
		h.length.add(h.value)
	case codingField:
		h.coded, h.chunked = true, endsChunked(h.value)
	case upgradeField:
		h.upgrades = true
	}
	h.field = noField
}

// finish completes the request after its last line.
func (h *head) finish() {
	h.commit()
	r := &h.request
	connect := string(r.Method) == "CONNECT"
	r.Switches = connect || h.upgrades
	r.Host = h.host
	if connect {
		r.Host = r.Target
	} else if authority, ok := absoluteAuthority(r.Target); ok {
		r.Host = authority
	}
}

// framing returns the state after the head and the length of the body it starts
// (RFC 9112 6.3).
func (h *head) framing() (state, uint64) {
	switch {
	case string(h.request.Method) == "CONNECT": // has no content, RFC 9110 9.3.6
		return inStart, 0
	case h.chunked: // goes before any Content-Length
		return inChunkSize, 0
	case h.coded, h.length.invalid: // the server has to refuse and close
		return broken, 0
	case h.length.n > 0:
		return inBody, h.length.n
	}
	return inStart, 0
}

// add takes note of one Content-Length field. A list of equal values counts as
// one value (RFC 9112 6.3).
func (l *length) add(value []byte) {
	for more := true; more; {
		var item []byte
		item, value, more = bytes.Cut(value, comma)
		n, ok := parseDecimal(trim(item))
		if !ok || l.present && n != l.n {
			l.invalid = true
		}
		l.n, l.present = n, true
	}
}

var comma = []byte{','}

// endsChunked reports whether the last of a list of transfer codings is chunked.
func endsChunked(value []byte) bool {
	last := value[bytes.LastIndexByte(value, ',')+1:]
	return equalFold(trim(last), "chunked")
}

func lookupField(name []byte) field {
	for i := range fieldNames {
		if equalFold(name, fieldNames[i].name) {
			return fieldNames[i].field
		}
	}
	return noField
}
