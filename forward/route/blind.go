package route

import (
	"errors"
	"net/netip"
	"slices"
	"strconv"
)

// networkCondition is about an address of the connection.
type networkCondition struct {
	name     string
	address  func(*Decider) netip.Addr
	networks []netip.Prefix
}

func (*networkCondition) blind() bool { return true }

func (n *networkCondition) test(d *Decider, _ *Input) truth {
	addr := n.address(d)
	return truthOf(slices.ContainsFunc(n.networks, func(p netip.Prefix) bool { return p.Contains(addr) }))
}

func (n *networkCondition) why(d *Decider, _ *Input) string {
	return n.name + "=" + n.address(d).String()
}

func buildSource(c *compiler, m *Match) condition {
	return c.networks("Source", "source", m.Source, func(d *Decider) netip.Addr { return d.source })
}

func buildPeer(c *compiler, m *Match) condition {
	return c.networks("Peer", "peer", m.Peer, func(d *Decider) netip.Addr { return plain(d.conn.Peer) })
}

func (c *compiler) networks(field, name string, networks []netip.Prefix, address func(*Decider) netip.Addr) condition {
	if len(networks) == 0 {
		return nil
	}
	cond := &networkCondition{name: name, address: address}
	for i, p := range networks {
		// Addresses are compared as IPv4 where they are IPv4 in a dress of IPv6.
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		if !p.IsValid() {
			c.fail(field, i, errors.New("not a network"))
			continue
		}
		cond.networks = append(cond.networks, p)
	}
	return cond
}

// proxiedCondition holds if a PROXY header told who the client is.
type proxiedCondition struct{}

func (proxiedCondition) blind() bool { return true }

func (proxiedCondition) test(d *Decider, _ *Input) truth { return truthOf(d.conn.Source.IsValid()) }

func (proxiedCondition) why(d *Decider, _ *Input) string {
	return "proxied by " + plain(d.conn.Peer).String()
}

func buildProxied(_ *compiler, m *Match) condition {
	if !m.Proxied {
		return nil
	}
	return proxiedCondition{}
}

// portCondition is about the port that the client connected to.
type portCondition []uint16

func (portCondition) blind() bool { return true }

func (p portCondition) test(d *Decider, _ *Input) truth {
	return truthOf(slices.Contains(p, d.conn.port()))
}

func (p portCondition) why(d *Decider, _ *Input) string {
	return "port=" + strconv.Itoa(int(d.conn.port()))
}

func buildPort(c *compiler, m *Match) condition {
	for i, p := range m.Port {
		if p == 0 {
			c.fail("Port", i, errors.New("no port is 0"))
		}
	}
	if len(m.Port) == 0 {
		return nil
	}
	return portCondition(m.Port)
}

// silentCondition holds for clients that wait for the server to speak. It is no blind
// condition: it needs the time in which bytes could come.
type silentCondition struct{}

func (silentCondition) test(_ *Decider, in *Input) truth {
	switch {
	case len(in.Bytes) > 0:
		return isFalse
	case in.End == Open:
		return unknown
	}
	return isTrue
}

func (silentCondition) why(d *Decider, in *Input) string { return d.ended(in, "") }

func buildSilent(_ *compiler, m *Match) condition {
	if !m.Silent {
		return nil
	}
	return silentCondition{}
}
