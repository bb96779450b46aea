package target

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Container is a container of Docker, or of whoever speaks its API (Podman), asked
// over a Unix socket.
type Container struct {
	Name string // or ID
	// Socket is the daemon's: that of DOCKER_HOST, or the usual one, if it is empty.
	Socket string
	// Grace is how long the container may take to its end until it is killed; what
	// the container says, or 10 s, if it is 0.
	Grace time.Duration
}

func (c *Container) String() string { return "docker:" + c.Name }

// containerName is what Docker lets names be, with the slash that it shows before them.
var containerName = regexp.MustCompile(`^/?[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

// Validate tells whether the name is one.
func (c *Container) Validate() error {
	if !containerName.MatchString(c.Name) {
		return fmt.Errorf("%q is not the name of a container", c.Name)
	}
	return nil
}

// Start starts the container.
func (c *Container) Start(ctx context.Context) error { return c.do(ctx, "start", nil) }

// Stop stops the container.
func (c *Container) Stop(ctx context.Context) error {
	query := url.Values{}
	if c.Grace > 0 {
		query.Set("t", strconv.Itoa(int((c.Grace + time.Second - 1).Seconds())))
	}
	return c.do(ctx, "stop", query)
}

const dockerSocket = "/var/run/docker.sock"

func (c *Container) socket() (string, error) {
	if c.Socket != "" {
		return c.Socket, nil
	}
	host := os.Getenv("DOCKER_HOST")
	if host == "" {
		return dockerSocket, nil
	}
	path, ok := strings.CutPrefix(host, "unix://")
	if !ok {
		return "", fmt.Errorf("DOCKER_HOST is %s, not unix://PATH", host)
	}
	return path, nil
}

// do asks the daemon for something and waits until it is done.
func (c *Container) do(ctx context.Context, verb string, query url.Values) error {
	if err := c.ask(ctx, http.MethodPost, verb, query); err != nil {
		return fmt.Errorf("%s container %s: %w", verb, c.Name, err)
	}
	return nil
}

// ask makes a request about the container.
func (c *Container) ask(ctx context.Context, method, what string, query url.Values) error {
	path, err := c.socket()
	if err != nil {
		return err
	}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	}
	defer transport.CloseIdleConnections()
	// Without a version the daemon takes its newest; these three have been the same
	// since the first.
	u := url.URL{Scheme: "http", Host: "docker", Path: "/containers/" + strings.TrimPrefix(c.Name, "/") + "/" + what, RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), http.NoBody)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		if ctx.Err() != nil {
			return interrupted(ctx, "the daemon at "+path)
		}
		return fmt.Errorf("ask Docker: %w", cause(err))
	}
	defer resp.Body.Close()
	return answer(resp)
}

// cause takes off what package http says of a request that nobody has written.
func cause(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 10

// answer makes an error of the daemon's answer.
func answer(resp *http.Response) error {
	switch resp.StatusCode {
	case http.StatusNoContent, http.StatusOK:
		return nil
	case http.StatusNotModified: // it was so already
		return nil
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	var said struct{ Message string }
	if json.Unmarshal(body, &said) == nil && said.Message != "" {
		return fmt.Errorf("the daemon says: %s", said.Message)
	}
	return fmt.Errorf("the daemon answers %s", resp.Status)
}
