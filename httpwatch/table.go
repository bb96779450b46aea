package httpwatch

import "github.com/waggle-bpf/waggle/httpwatch/kern"

// table holds the connections, of which there are at most limit: a new one takes
// the place of the one that has been silent for longest.
type table struct {
	limit int
	conns map[kern.Flow]*conn
	// newest and oldest are the ends of the list of connections in the order
	// of their last use.
	newest, oldest *conn
}

func newTable(limit int) table {
	return table{limit: limit, conns: make(map[kern.Flow]*conn)}
}

// get returns the connection of a flow, or nil, and makes it the newest.
func (t *table) get(key *kern.Flow) *conn {
	c := t.conns[*key]
	if c != nil && c != t.newest {
		t.unlink(c)
		t.push(c)
	}
	return c
}

// add makes room for a connection of the flow. It calls evicted before it reuses the
// place of another one; c may hold memory worth reusing, but nothing else.
func (t *table) add(key *kern.Flow, evicted func(*conn)) *conn {
	var c *conn
	if len(t.conns) < t.limit {
		c = new(conn)
	} else {
		c = t.oldest
		evicted(c)
		t.unlink(c)
		delete(t.conns, c.key)
	}
	c.key = *key
	t.conns[*key] = c
	t.push(c)
	return c
}

func (t *table) push(c *conn) {
	c.newer, c.older = nil, t.newest
	if t.newest != nil {
		t.newest.newer = c
	} else {
		t.oldest = c
	}
	t.newest = c
}

func (t *table) unlink(c *conn) {
	if c.newer != nil {
		c.newer.older = c.older
	} else {
		t.newest = c.older
	}
	if c.older != nil {
		c.older.newer = c.newer
	} else {
		t.oldest = c.newer
	}
}
