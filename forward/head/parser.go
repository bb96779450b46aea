package head

// DefaultMax is how many bytes a parser looks at unless told otherwise. A ClientHello
// with post-quantum keys takes 2 KiB, servers allow request heads of 8 to 32 KiB.
const DefaultMax = 64 << 10

// Parser reads the head of one connection. The zero value is ready to use.
type Parser struct {
	// Max is how many bytes may be looked at, DefaultMax if 0.
	Max int

	head  Head
	begun bool
	rows  uint8 // a bit for each sniffer that has not said no
	row   *sniffer

	// Where recogniseHTTP and, once it is settled, the parse function are.
	scan  int // what of the bytes has been looked at
	line  int // where the request line or the next TLS record begins
	phase phase
	hello []byte // the ClientHello put together, if it spans records
}

// answer is what a sniffer says about the beginning of a connection.
type answer uint8

const (
	maybe answer = iota
	no
	yes
)

// sniffer recognises and reads one kind of head. Both functions see all the bytes
// there are, each time with more at the end, and remember in the parser how far
// they came; recognise must stick to an answer other than maybe.
type sniffer struct {
	protocol  Protocol
	recognise func(*Parser, []byte) answer
	parse     func(*Parser, []byte) Status
}

// sniffers is all of them. Where two could recognise the same bytes the first wins:
// the preface of HTTP/2 looks like a request of HTTP/1, and "SSH-" like a method.
var sniffers = [...]sniffer{
	{TLS, recogniseTLS, parseTLS},
	{TLS, recogniseSSLv2, parseSSLv2},
	{SSH, recogniseSSH, parseSSH},
	{HTTP2, recogniseHTTP2, parseHTTP2},
	{HTTP, recogniseHTTP, parseHTTP},
}

// Head returns what is known so far. It changes with the next call of Parse unless
// its status is final.
func (p *Parser) Head() *Head {
	p.begin()
	return &p.head
}

func (p *Parser) begin() {
	if p.begun {
		return
	}
	p.begun = true
	p.rows = 1<<len(sniffers) - 1
	p.head.may = SetOf(TLS, SSH, HTTP2, HTTP, Other)
}

// Parse looks at the bytes the connection began with: those of the last call,
// unchanged, and what came since. It keeps no reference to them.
func (p *Parser) Parse(b []byte) Status {
	p.begin()
	if p.head.Status != More {
		return p.head.Status
	}
	full := len(b) >= p.limit()
	b = b[:min(len(b), p.limit())]
	if p.row == nil && len(b) > 0 {
		p.recognise(b)
	}
	if p.row != nil {
		p.head.Status = p.row.parse(p, b)
	}
	if full && p.head.Status == More {
		p.overflow()
	}
	return p.head.Status
}

func (p *Parser) limit() int {
	if p.Max > 0 {
		return p.Max
	}
	return DefaultMax
}

// recognise asks the sniffers that are left. It settles p.row, or the status if
// none of them is.
func (p *Parser) recognise(b []byte) {
	waiting := false
	var may Set
	for i := range sniffers {
		if p.rows&(1<<i) == 0 {
			continue
		}
		switch s := &sniffers[i]; s.recognise(p, b) {
		case no:
			p.rows &^= 1 << i
		case maybe:
			waiting = true
			may |= SetOf(s.protocol)
		case yes:
			if !waiting {
				p.settle(s)
				return
			}
			may |= SetOf(s.protocol)
		}
	}
	if p.head.may = may | SetOf(Other); !waiting {
		p.unknown()
	}
}

func (p *Parser) settle(s *sniffer) {
	p.row = s
	p.head.Protocol = s.protocol
	p.head.may = SetOf(s.protocol)
}

func (p *Parser) unknown() {
	p.head.Status = Unknown
	p.head.Protocol = Other
	p.head.may = SetOf(Other)
}

// overflow ends a head that is not whole when the limit is reached.
func (p *Parser) overflow() {
	if p.row == nil {
		p.unknown()
		return
	}
	p.tooLong("head longer than the limit")
}

// malformed and tooLong end a head with a reason. What had been read of it is
// nothing to route by.
func (p *Parser) malformed(reason string) Status { return p.broken(Malformed, reason) }

func (p *Parser) tooLong(reason string) Status { return p.broken(TooLong, reason) }

func (p *Parser) broken(s Status, reason string) Status {
	p.head = Head{Status: s, Reason: reason, Protocol: p.head.Protocol, may: p.head.may}
	p.hello = nil
	return s
}

// known ends a head that takes up n bytes.
func (p *Parser) known(n int) Status {
	p.head.Size = n
	return Known
}

// startsWith answers for heads that begin with fixed bytes.
func startsWith(b []byte, prefix string) answer {
	n := min(len(b), len(prefix))
	if string(b[:n]) != prefix[:n] {
		return no
	}
	if n < len(prefix) {
		return maybe
	}
	return yes
}
