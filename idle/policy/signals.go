package policy

import (
	"fmt"
	"slices"
	"time"

	"github.com/waggle-bpf/waggle/idle/watch"
)

// Signal is something that is looked at for the decision.
type Signal struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	// Blocks says that it keeps the service up now, and Until what would let it
	// stop as far as this is concerned.
	Blocks bool   `json:"blocks"`
	Until  string `json:"until,omitempty"`
}

// MaxConns is how many connections Signals lists one by one.
const MaxConns = 100

// Signals explains the state: what is looked at, and what would have to change.
func (m *Machine) Signals(now time.Time) []Signal {
	m.advance(now)
	list := []Signal{m.connections()}
	list = append(list, m.each(now)...)
	for _, h := range m.holds {
		list = append(list, Signal{
			Name:   fmt.Sprintf("hold %d", h.ID),
			Value:  fmt.Sprintf("%q, %s left", h.Reason, Short(h.Until.Sub(now))),
			Blocks: true,
			Until:  fmt.Sprintf("its end, or waggle idle release %d", h.ID),
		})
	}
	if grace := m.start.Add(m.config.Grace).Sub(now); grace > 0 {
		list = append(list, Signal{
			Name: "grace", Value: fmt.Sprintf("up for %s of %s", Short(now.Sub(m.start)), m.config.Grace),
			Blocks: true, Until: Short(grace) + " more",
		})
	}
	return append(list, m.idleTime(now))
}

func (m *Machine) idleTime(now time.Time) Signal {
	s := Signal{Name: "idle time", Value: "not idle", Blocks: true, Until: fmt.Sprintf("%s without any of the above", m.config.Idle)}
	switch {
	case m.Busy():
		return s
	case m.suspended:
		s.Value, s.Blocks, s.Until = "over", false, ""
		return s
	}
	s.Value = fmt.Sprintf("%s of %s", Short(now.Sub(m.idle)), m.config.Idle)
	left := m.idle.Add(m.config.Idle).Sub(now)
	if s.Blocks = left > 0; !s.Blocks {
		s.Until = ""
		return s
	}
	s.Until = Short(left) + " more"
	return s
}

func (m *Machine) connections() Signal {
	s := Signal{Name: "connections", Value: "none"}
	if n := len(m.conns); n > 0 {
		s.Value = fmt.Sprintf("%d open, %d of them count", n, m.counting)
	}
	if m.counting > 0 {
		s.Blocks, s.Until = true, "none that counts"
	}
	return s
}

// each describes the oldest connections.
func (m *Machine) each(now time.Time) []Signal {
	conns := make([]*conn, 0, len(m.conns))
	for _, c := range m.conns {
		conns = append(conns, c)
	}
	slices.SortFunc(conns, func(a, b *conn) int { return a.Opened.Compare(b.Opened) })
	var list []Signal
	for _, c := range conns[:min(len(conns), MaxConns)] {
		list = append(list, m.describe(c, now))
	}
	if more := len(conns) - MaxConns; more > 0 {
		list = append(list, Signal{Name: "  and more", Value: fmt.Sprintf("%d connections", more)})
	}
	return list
}

func (m *Machine) describe(c *conn, now time.Time) Signal {
	age := Short(now.Sub(c.Opened))
	s := Signal{Name: "  " + c.Client.String(), Value: fmt.Sprintf("to port %d for %s", c.Port, age)}
	if c.Found {
		s.Value = fmt.Sprintf("to port %d for more than %s", c.Port, age)
	}
	if c.bytes.Known {
		s.Value += fmt.Sprintf(", %s in, %s out", watch.Size(c.bytes.In), watch.Size(c.bytes.Out))
	}
	switch c.state {
	case counts:
		s.Blocks, s.Until = true, "its end"
		if m.config.Quiet > 0 {
			s.Until = fmt.Sprintf("its end, or nothing moved for %s (%s so far)", m.config.Quiet, Short(now.Sub(c.moved)))
		}
	case young:
		s.Value += fmt.Sprintf("; counts from %s on", m.config.MinAge)
	case meagre:
		s.Value += fmt.Sprintf("; counts from %s on", watch.Size(m.config.MinBytes))
	case quiet:
		s.Value += fmt.Sprintf("; doesn't count: nothing moved for %s", Short(now.Sub(c.moved)))
	case ignored:
		s.Value += "; doesn't count: ignored"
	}
	return s
}

// Short rounds a duration to what a person wants to know.
func Short(d time.Duration) string {
	switch {
	case d >= time.Minute:
		d = d.Round(time.Second)
	case d >= time.Second:
		d = d.Round(100 * time.Millisecond)
	default:
		d = d.Round(time.Millisecond)
	}
	return d.String()
}
