package route

import "net/netip"

// Rule is a line of a table: what has to hold, and where the connection goes then.
// Exactly one of Target and Refuse is set.
type Rule struct {
	Name   string // for the access log and metrics
	When   Match
	Target string // a group of backends
	Refuse Refusal
}

// Refusal is how a connection is refused.
type Refusal string

// The refusals.
const (
	Forward Refusal = ""      // it is not
	Reset   Refusal = "reset" // RST: clients see "connection reset"
	Close   Refusal = "close" // FIN: clients see the end of the stream
)

// Match is a conjunction: every condition that is set must hold. One with several
// values holds if any of the values does. Without conditions it always holds.
type Match struct {
	// Protocol is what the client speaks: tls, http, h2, ssh or other.
	Protocol []string

	// SNI and Host are names a TLS or HTTP/1 client asks for, in lower or upper case,
	// without a port. *.example.org stands for names with one label in front,
	// **.example.org for one or more, * for any name at all.
	SNI, Host []string

	// ALPN is protocols that a TLS client offers.
	ALPN []string

	// Method, Path, PathPrefix and Headers are about the first request of an HTTP/1
	// connection. Paths are compared in their normal form: see head.Head. The prefix
	// /api holds for /api and what is below /api/, not for /apis.
	Method, Path, PathPrefix []string
	Headers                  []Header

	// SSH is what the banner of an SSH client begins with: "SSH-2.0-OpenSSH".
	SSH []string

	// Prefix is what the client's bytes begin with, each string a sequence of bytes.
	Prefix []string

	// Regexp is a regular expression (RE2 syntax) that has to match at the first byte
	// and need not reach the last. A character is a byte: \xff stands for the byte
	// 0xff, and ^ and $ for the stream's beginning and end. At most Window bytes are
	// looked at.
	Regexp string

	// Expr is an expression over sni, alpn, host, path, method, headers, ssh, source,
	// port, protocol and bytes, in the language of github.com/expr-lang/expr; see
	// the package comment. It waits until what it uses is known: for bytes, until
	// there are Window of them.
	Expr string

	// Window is how many of the first bytes Regexp and Expr see. Regexp has 1024 by
	// default; an Expr that uses bytes has no default.
	Window int

	// Source is networks of the client, according to the PROXY header if there was
	// one. Peer is networks of the other end of the TCP connection. Proxied holds
	// if there was a PROXY header that tells the client.
	Source, Peer []netip.Prefix
	Proxied      bool

	// Port is ports that the client connected to.
	Port []uint16

	// Token is a signed token that has to be there.
	Token *Token

	// Silent holds if the client has sent nothing when it is too late to.
	Silent bool
}

// Header is a condition on an HTTP header field: that it is there, with one of the
// values if there are any. Names are compared in any case, values byte by byte.
type Header struct {
	Name   string
	Values []string
}

// Token is a condition on a token that [Mint] made.
type Token struct {
	In     Place
	Header string // the field's name, if In is InHeader
	Keys   Keys   // any of them; at least 16 bytes each
	Scope  string // what the token has to be made for
}

// Keys are secrets. They print as their number.
type Keys [][]byte

// Place is where a client puts its token.
type Place string

// The places of a token. A line is taken off the stream before it is forwarded, the
// others remain.
const (
	InHeader Place = "header" // an HTTP/1 header field, "Bearer " in front or not
	InLine   Place = "line"   // a first line "TOKEN <token>"
	InSNI    Place = "sni"    // the first label of the server name
)

// FieldError says which field of a rule is wrong.
type FieldError struct {
	Rule  int    // index in the table
	Field string // as in Match: "SNI", "Token.Keys", "Headers"; "" for the rule as a whole
	Index int    // index in the field's list, -1 if it is none
	Err   error
}
