package proxy

import (
	"errors"
	"fmt"
	"net/netip"
)

// Policy says whose headers are believed. A peer that is not trusted and sends one all
// the same claims to be somebody else: that is an error, and so is passing it on as
// part of the stream, because a backend may trust us. The zero value trusts nobody.
type Policy struct {
	Trusted []netip.Prefix
	Require bool // trusted peers must send a header
}

// Trusts tells whether headers of a peer are believed.
func (p *Policy) Trusts(peer netip.Addr) bool {
	peer = peer.Unmap().WithZone("")
	for _, prefix := range p.Trusted {
		if prefix.Contains(peer) {
			return true
		}
	}
	return false
}

// End says whether more of a peer's bytes can come.
type End uint8

// The ends.
const (
	Open   End = iota
	Late       // nobody waits for them any longer, and what comes isn't looked at
	Closed     // the peer sends no more
)

// Read reads the header that a peer's bytes begin with, n of them. It returns ErrShort
// while they may still become one and end is Open. Without a header n is 0; any other
// error than ErrShort means that the connection is not to be forwarded. So it is with
// bytes that may become a header when nobody looks any more.
func (p *Policy) Read(peer netip.Addr, b []byte, end End) (h Header, n int, err error) {
	h, n, err = Parse(b)
	begun := err != ErrAbsent && (signed(b) || end == Late && len(b) > 0)
	switch trusted := p.Trusts(peer); {
	case begun && !trusted:
		err = ErrUntrusted
	case err == ErrShort && end == Open:
		return Header{}, 0, err
	case err == ErrShort && begun:
	case (err == ErrShort || err == ErrAbsent) && trusted && p.Require:
		err = errMissing
	case err == ErrShort || err == ErrAbsent:
		return Header{}, 0, nil
	}
	if err != nil {
		return Header{}, 0, fmt.Errorf("read PROXY header of %s: %w", peer, err)
	}
	return h, n, nil
}

// ErrUntrusted says that a header came from somebody who may not send one.
var ErrUntrusted = errors.New("its address is not trusted to send one")

var errMissing = errors.New("none, though its address is trusted and has to send one")
