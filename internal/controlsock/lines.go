package controlsock

import (
	"encoding/json"
	"errors"
	"net"
)

// Dial connects to the socket of another process. See Abandoned for its error.
func Dial(path string) (*net.UnixConn, error) {
	c, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	var op *net.OpError
	if errors.As(err, &op) {
		return nil, op.Err // the rest repeats the path
	}
	return c, err
}

// Send writes an object on a line.
func Send(c net.Conn, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = c.Write(append(b, '\n'))
	return err
}
