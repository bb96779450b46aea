package head

import "strings"

// Protocol is what a connection speaks.
type Protocol uint8

// The protocols this package knows.
const (
	None  Protocol = iota // not known yet
	TLS                   // TLS, DTLS excepted, or an SSLv2-compatible hello
	HTTP                  // HTTP/1.0 or HTTP/1.1
	HTTP2                 // HTTP/2 without TLS
	SSH
	Other // none of these
)

var protocolNames = [...]string{None: "", TLS: "tls", HTTP: "http", HTTP2: "h2", SSH: "ssh", Other: "other"}

func (p Protocol) String() string { return protocolNames[p] }

// ProtocolNamed returns the protocol of a name: tls, http, h2, ssh or other.
func ProtocolNamed(name string) (Protocol, bool) {
	for p, n := range protocolNames {
		if p != int(None) && n == name {
			return Protocol(p), true
		}
	}
	return None, false
}

// Status is how much is known of a head.
type Status uint8

// The statuses. All but More are final.
const (
	More      Status = iota // more bytes are needed
	Known                   // the head is whole
	Unknown                 // no known protocol begins like this
	Malformed               // it is Protocol, but breaks its rules: see Reason
	TooLong                 // it is Protocol, but longer than the parser's limit
)

func (s Status) String() string {
	return [...]string{"more", "known", "unknown", "malformed", "too long"}[s]
}

// Head is what the first bytes of a connection say.
type Head struct {
	Status   Status
	Protocol Protocol // None until it is certain
	Size     int      // bytes the head takes up, 0 unless Status is Known
	Reason   string   // what is wrong, if Status is Malformed or TooLong

	// Of TLS. SNI is the name as [Name] normalises it, "" if there is none.
	SNI  string
	ALPN []string // in the client's order, GREASE values included
	ECH  bool     // the hello has an encrypted part, or pretends to (RFC 9849)

	// Of HTTP. Host is normalised and has no port; it comes from the target if that
	// has one. Path is percent-decoded, without dot segments and double slashes;
	// it is "" for CONNECT and "*".
	Method, Target, Host, Path, Query string
	Fields                            []Field

	// Of SSH, without the line's end: "SSH-2.0-OpenSSH_10.0".
	Banner string

	may Set
}

// Set is a set of protocols.
type Set uint8

// SetOf returns the set of some protocols.
func SetOf(protocols ...Protocol) Set {
	var s Set
	for _, p := range protocols {
		s |= 1 << p
	}
	return s
}

// Has tells whether a protocol is in the set.
func (s Set) Has(p Protocol) bool { return s&(1<<p) != 0 }

// May tells whether the connection may still turn out to be of a protocol, or is.
func (h *Head) May(p Protocol) bool { return h.may.Has(p) }

// Field is one field line of an HTTP head. The name is as the client spelled it.
type Field struct{ Name, Value string }

// Field returns the value of the first field of a name, in any case.
func (h *Head) Field(name string) (value string, ok bool) {
	for i := range h.Fields {
		if strings.EqualFold(h.Fields[i].Name, name) {
			return h.Fields[i].Value, true
		}
	}
	return "", false
}
