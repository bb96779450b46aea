//go:build linux

package watchtest

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"
)

// patience is how long to wait for what should come soon.
const patience = 20 * time.Second

// Client is a connection to the service.
type Client struct {
	t testing.TB
	*net.TCPConn
}

// Dial connects.
func Dial(t testing.TB, addr netip.AddrPort) *Client {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr.String(), patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return &Client{t, c.(*net.TCPConn)}
}

// Addr is the client's own address.
func (c *Client) Addr() netip.AddrPort {
	a := c.LocalAddr().(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// Ask sends a request of some bytes and reads the answer, of some bytes, too.
func (c *Client) Ask(up, down int) {
	c.t.Helper()
	c.send(up, down, byClient)
	c.receive(down)
}

// send sends a request.
func (c *Client) send(up, down int, e end) {
	c.t.Helper()
	r := request{Upload: uint32(up - requestLen), Download: uint32(down), End: e}
	if err := binary.Write(c, binary.BigEndian, &r); err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.Write(make([]byte, r.Upload)); err != nil {
		c.t.Fatal(err)
	}
}

// receive reads so many bytes of answer.
func (c *Client) receive(down int) {
	c.t.Helper()
	if _, err := io.CopyN(io.Discard, c, int64(down)); err != nil {
		c.t.Fatal(err)
	}
}

// awaitEnd waits until the service has closed.
func (c *Client) awaitEnd() {
	c.t.Helper()
	if n, err := io.Copy(io.Discard, c); err != nil || n > 0 {
		c.t.Fatalf("got %d bytes and %v, want the end", n, err)
	}
}

// Reset ends the connection with a reset.
func (c *Client) Reset() {
	_ = c.SetLinger(0)
	_ = c.Close()
}
