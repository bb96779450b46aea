package backend

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"net"
	"slices"
	"strconv"
)

// Probe looks whether a backend is well.
type Probe interface {
	// Probe talks to a backend over a connection that has a deadline and is
	// closed afterwards. The error says what is wrong.
	Probe(conn net.Conn) error
	// Name is one word for status and metrics.
	Name() string
}

// TCP is the probe that is content with a connection.
type TCP struct{}

// HTTP is the probe that asks for a page.
type HTTP struct {
	Method string        // GET if empty
	Path   string        // "/" if empty
	Host   string        // the Host header; the backend's address if empty
	Status []StatusRange // good status codes; 200 to 399 if empty
}

// StatusRange is a range of HTTP status codes, both ends included.
type StatusRange struct{ From, To int }

// Expect is the probe that sends bytes, if there are any, and waits for others.
type Expect struct {
	Send   []byte
	Expect []byte // what the answer begins with
}

// Name is "tcp".
func (TCP) Name() string { return "tcp" }

// Probe does nothing: there is a connection.
func (TCP) Probe(net.Conn) error { return nil }

// Name is "http".
func (HTTP) Name() string { return "http" }

// maxStatusLine is how long the first line of an answer may be.
const maxStatusLine = 1024

// Probe sends a request and judges the status line of the answer.
func (p HTTP) Probe(conn net.Conn) error {
	host := p.Host
	if host == "" {
		host = conn.RemoteAddr().String()
	}
	method, path := cmp.Or(p.Method, "GET"), cmp.Or(p.Path, "/")
	_, err := fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: waggle\r\nAccept: */*\r\nConnection: close\r\n\r\n", method, path, host)
	if err != nil {
		return fmt.Errorf("send request: %w", cause(err))
	}
	line, err := bufio.NewReaderSize(conn, maxStatusLine).ReadSlice('\n')
	if err != nil && len(line) == 0 {
		return fmt.Errorf("read response: %w", cause(err))
	}
	status, err := parseStatus(line)
	if err != nil {
		return err
	}
	if !p.good(status) {
		return fmt.Errorf("%s %s: status %d", method, path, status)
	}
	return nil
}

// good tells whether a status code is among those wanted.
func (p HTTP) good(status int) bool {
	if len(p.Status) == 0 {
		return status >= 200 && status <= 399
	}
	return slices.ContainsFunc(p.Status, func(r StatusRange) bool { return r.From <= status && status <= r.To })
}

// parseStatus reads "HTTP/1.1 200 OK".
func parseStatus(line []byte) (int, error) {
	fields := bytes.Fields(line)
	if len(fields) >= 2 && bytes.HasPrefix(fields[0], []byte("HTTP/1.")) && len(fields[1]) == 3 {
		if n, err := strconv.ParseUint(string(fields[1]), 10, 16); err == nil {
			return int(n), nil
		}
	}
	return 0, fmt.Errorf("no HTTP response but %s", quote(line))
}

// Name is "expect".
func (Expect) Name() string { return "expect" }

// Probe sends what is to be sent and compares what comes.
func (p Expect) Probe(conn net.Conn) error {
	if _, err := conn.Write(p.Send); len(p.Send) > 0 && err != nil {
		return fmt.Errorf("send: %w", cause(err))
	}
	got := make([]byte, 0, len(p.Expect))
	for len(got) < len(p.Expect) {
		n, err := conn.Read(got[len(got):cap(got)])
		got = got[:len(got)+n]
		switch {
		case !bytes.HasPrefix(p.Expect, got):
			return fmt.Errorf("expected %s, got %s", quote(p.Expect), quote(got))
		case err != nil && len(got) < len(p.Expect):
			return fmt.Errorf("expected %s, got %s: %w", quote(p.Expect), quote(got), cause(err))
		}
	}
	return nil
}

// quote shows the beginning of what a backend said.
func quote(b []byte) string {
	const most = 64
	if len(b) > most {
		return strconv.Quote(string(b[:most])) + "..."
	}
	return strconv.Quote(string(b))
}
