package head

import "encoding/binary"

// Sizes of RFC 8446 5.1 and 4.
const (
	recordHeader    = 5
	maxRecord       = 1 << 14 // bytes of plaintext in a record
	handshakeHeader = 4
)

// Numbers of RFC 8446 4 and 5.1, RFC 6066 3, RFC 7301 3.1, RFC 9849 5.
const (
	typeHandshake = 22
	clientHello   = 1

	extServerName = 0
	extALPN       = 16
	extECH        = 0xfe0d

	nameHost = 0
)

// recogniseTLS wants a handshake record of TLS or SSL 3 that begins with a
// ClientHello. The minor version of the record means nothing.
func recogniseTLS(_ *Parser, b []byte) answer {
	switch {
	case b[0] != typeHandshake:
		return no
	case len(b) > 1 && b[1] != 3:
		return no
	case len(b) > 4 && !recordSize(b):
		return no
	case len(b) <= recordHeader:
		return maybe
	case b[recordHeader] != clientHello:
		return no
	}
	return yes
}

func recordSize(record []byte) bool {
	n := binary.BigEndian.Uint16(record[3:])
	return 1 <= n && n <= maxRecord
}

// parseTLS collects whole records until they hold the ClientHello. p.line is where
// the next one begins.
func parseTLS(p *Parser, b []byte) Status {
	for len(b)-p.line >= recordHeader {
		record := b[p.line:]
		// The version of a record means nothing but in the first one.
		if record[0] != typeHandshake || !recordSize(record) {
			return p.malformed("something else amid the records of a ClientHello")
		}
		n := recordHeader + int(binary.BigEndian.Uint16(record[3:]))
		if len(record) < n {
			return More
		}
		p.line += n
		message, whole := p.assemble(record[recordHeader:n])
		if whole {
			return p.clientHello(message)
		}
		if handshakeSize(message) > p.limit() {
			return p.tooLong("ClientHello longer than the limit")
		}
	}
	return More
}

// assemble adds a record's content to the handshake message. One that fits in a
// record is not copied.
func (p *Parser) assemble(content []byte) (message []byte, whole bool) {
	if p.hello != nil || len(content) < handshakeSize(content) {
		p.hello = append(p.hello, content...)
		content = p.hello
	}
	return content, len(content) >= handshakeSize(content)
}

// handshakeSize returns the size of a handshake message that has begun to arrive,
// or of its header if not even that is there.
func handshakeSize(message []byte) int {
	if len(message) < handshakeHeader {
		return handshakeHeader
	}
	return handshakeHeader + int(message[1])<<16 + int(message[2])<<8 + int(message[3])
}

// clientHello reads a handshake message (RFC 8446 4.1.2).
func (p *Parser) clientHello(message []byte) Status {
	r := reader(message[handshakeHeader:handshakeSize(message)])
	ok := r.skip(2 + 32) // legacy version and random
	session := r.vector8()
	ciphers := r.vector16()
	compression := r.vector8()
	switch {
	case !ok || session == nil || ciphers == nil || len(ciphers)%2 != 0 || compression == nil:
		return p.malformed("ClientHello cut short")
	case len(session) > 32:
		return p.malformed("session ID longer than 32 bytes")
	}
	if len(r) > 0 {
		extensions := r.vector16()
		if extensions == nil || len(r) > 0 {
			return p.malformed("ClientHello cut short")
		}
		if reason := p.extensions(extensions); reason != "" {
			return p.malformed(reason)
		}
	}
	p.hello = nil
	return p.known(p.line)
}

// extensions reads those of a ClientHello that tell something to us.
func (p *Parser) extensions(r reader) (reason string) {
	var seen extensionSet
	for len(r) > 0 {
		kind, ok := r.uint16()
		content := r.vector16()
		if !ok || content == nil {
			return "extensions of the ClientHello cut short"
		}
		// RFC 8446 4.2: not more than one of a kind. Two server names would mean
		// different things to different readers.
		if seen.add(kind) {
			return "extension twice in the ClientHello"
		}
		switch kind {
		case extServerName:
			reason = p.serverName(content)
		case extALPN:
			reason = p.alpn(content)
		case extECH:
			p.head.ECH = true
		}
		if reason != "" {
			return reason
		}
	}
	return ""
}

// serverName reads the ServerNameList of RFC 6066 3.
func (p *Parser) serverName(r reader) (reason string) {
	list := r.vector16()
	if len(list) == 0 || len(r) > 0 {
		return "server name cut short"
	}
	for len(list) > 0 {
		kind, ok := list.uint8()
		name := list.vector16()
		switch {
		case !ok || len(name) == 0:
			return "server name cut short"
		case kind != nameHost:
			continue
		case p.head.SNI != "":
			return "two server names"
		case len(name) > maxName+1:
			return "server name too long"
		}
		if p.head.SNI, ok = Name(string(name)); !ok {
			return "server name that is no host name"
		}
	}
	return ""
}

// alpn reads the ProtocolNameList of RFC 7301 3.1.
func (p *Parser) alpn(r reader) (reason string) {
	list := r.vector16()
	if len(list) == 0 || len(r) > 0 {
		return "ALPN cut short"
	}
	n := 0
	for rest := list; len(rest) > 0; n++ {
		if len(rest.vector8()) == 0 {
			return "ALPN cut short"
		}
	}
	// One copy for all names.
	text := string(list)
	p.head.ALPN = make([]string, 0, n)
	for len(text) > 0 {
		size := int(text[0])
		p.head.ALPN = append(p.head.ALPN, text[1:1+size])
		text = text[1+size:]
	}
	return ""
}

// extensionSet finds duplicates among the extensions of one hello. Hellos have 10
// to 20; a hostile one with thousands goes to the map instead of being quadratic.
type extensionSet struct {
	few  [32]uint16
	n    int
	many map[uint16]struct{}
}

func (s *extensionSet) add(kind uint16) (duplicate bool) {
	for _, k := range s.few[:s.n] {
		if k == kind {
			return true
		}
	}
	if s.n < len(s.few) {
		s.few[s.n] = kind
		s.n++
		return false
	}
	if _, duplicate = s.many[kind]; duplicate {
		return true
	}
	if s.many == nil {
		s.many = make(map[uint16]struct{})
	}
	s.many[kind] = struct{}{}
	return false
}

// reader takes things off the front of a message. A vector that does not fit is nil,
// an empty one is not.
type reader []byte

func (r *reader) skip(n int) bool { return r.take(n) != nil }

func (r *reader) take(n int) reader {
	if n > len(*r) {
		*r = nil
		return nil
	}
	v := (*r)[:n:n]
	*r = (*r)[n:]
	return v
}

func (r *reader) uint8() (uint8, bool) {
	v := r.take(1)
	if v == nil {
		return 0, false
	}
	return v[0], true
}

func (r *reader) uint16() (uint16, bool) {
	v := r.take(2)
	if v == nil {
		return 0, false
	}
	return binary.BigEndian.Uint16(v), true
}

func (r *reader) vector8() reader {
	n, ok := r.uint8()
	if !ok {
		return nil
	}
	return r.take(int(n))
}

func (r *reader) vector16() reader {
	n, ok := r.uint16()
	if !ok {
		return nil
	}
	return r.take(int(n))
}
