package forward

import (
	"time"
)

// How long a polite end may take, how many bytes are read meanwhile, and which part of all
// connections may be busy with that.
const (
	lingerTime  = time.Second
	lingerBytes = 256 << 10
	lingerShare = 8
)

// linger ends a client's connection with FIN. The kernel sends RST instead for a socket
// that is closed with unread bytes, or that gets some afterwards, and RST makes the client
// lose what it has not read yet (RFC 2525 2.17). So what it says is read and forgotten
// until it has gone, but only for a moment, and not of too many at a time, because they
// count for the limit of connections.
func (c *conn) linger() {
	f := c.listener.forwarder
	defer f.lingering.Add(-1)
	if f.lingering.Add(1) > int64(max(c.service.limits.Connections/lingerShare, 1)) || c.client.CloseWrite() != nil {
		return
	}
	_ = c.client.SetReadDeadline(time.Now().Add(lingerTime))
	if f.ending.Load() {
		return
	}
	buf := openings.Get().(*[]byte)
	defer openings.Put(buf)
	for left := lingerBytes; left > 0; {
		n, err := c.client.Read(*buf)
		if err != nil {
			return // it has gone, too, or its time is over
		}
		left -= n
	}
}
