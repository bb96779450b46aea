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

// Read reads the header that a peer's bytes begin with, n of them. It returns ErrShort
// while they may still become one, unless they end here (end: it is too late for more,
// or the peer sends none). Without a header n is 0; any other error than ErrShort means
// that the connection is not to be forwarded.
func (p *Policy) Read(peer netip.Addr, b []byte, end bool) (h Header, n int, err error) {
	h, n, err = Parse(b)
	begun := err != ErrAbsent && signed(b)
	switch trusted := p.Trusts(peer); {
	case begun && !trusted:
		err = ErrUntrusted
	case err == ErrShort && !end:
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
