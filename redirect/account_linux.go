package redirect

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/waggle-bpf/waggle/redirect/kern"
)

// Summary returns the account so far.
func (s *Session) Summary() (Summary, error) {
	t, err := s.kernel.Total.Get()
	if err != nil {
		return Summary{}, err
	}
	faults, err := s.kernel.Faults()
	sum := Summary{
		Elapsed:     time.Since(s.began),
		Connections: t.Paired, Alone: t.Enrolled - t.Paired, Open: t.Enrolled - t.Closed,
		Full: t.Full, Unfit: t.Unfit, Refused: t.Declined,
		Traffic:   Traffic{t.Messages, t.Bytes, t.PassedMessages, t.PassedBytes},
		Ways:      make(map[string]uint64),
		MaxUnread: t.MaxUnread, LostReports: t.Lost,
	}
	for _, f := range faults {
		sum.Faults = append(sum.Faults, f.String())
	}
	for w, n := range t.Ways {
		sum.count(kern.Way(w), n)
	}
	for i := range s.conns {
		c := s.conns[i]
		if c.ID == 0 {
			continue
		}
		for _, d := range c.Direction {
			sum.add(&d)
			sum.count(d.Way, 1)
			sum.MaxUnread = max(sum.MaxUnread, d.MaxUnread)
		}
	}
	return sum, err
}

// Connections lists the open connections, those that have carried most first, up to n.
func (s *Session) Connections(n int) []Connection {
	now := monotonic()
	var list []Connection
	for i := range s.conns {
		c := s.conns[i]
		if c.ID == 0 {
			continue
		}
		v := Connection{
			Client:   netip.AddrPortFrom(c.Client.Netip(), uint16(c.ClientPort)),
			Server:   netip.AddrPortFrom(c.Server.Netip(), uint16(c.ServerPort)),
			PID:      c.PID,
			Age:      time.Duration(now - c.Born),
			ToServer: WayName(c.Direction[kern.Client].Way),
			ToClient: WayName(c.Direction[kern.Server].Way),
		}
		v.add(&c.Direction[kern.Client])
		v.add(&c.Direction[kern.Server])
		list = append(list, v)
	}
	slices.SortFunc(list, func(a, b Connection) int {
		return cmp.Or(cmp.Compare(b.Bytes+b.PassedBytes, a.Bytes+a.PassedBytes), a.Client.Compare(b.Client))
	})
	return list[:min(n, len(list))]
}
