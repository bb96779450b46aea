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

// restartLook is how long Docker may take to note that it starts a container again, and
// lastLook how long it is at most until it is asked again if it does not answer.
const (
	restartLook = 100 * time.Millisecond
	lastLook    = 5 * time.Second
)

// Wait waits until the container has ended by itself. One that Docker starts again is
// still there.
func (c *Container) Wait(ctx context.Context) error {
	for pause := restartLook; ; {
		err := c.ask(ctx, http.MethodPost, "wait", nil, nil)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return interrupted(ctx, "container "+c.Name)
		}
		var is containerStatus
		if err == nil {
			err = c.ask(ctx, http.MethodGet, "json", nil, &is)
		}
		var said *daemonError
		switch {
		case errors.As(err, &said):
			return fmt.Errorf("wait for container %s: %w", c.Name, err)
		case err != nil: // the daemon is being started anew
			pause = min(2*pause, lastLook)
		case !is.State.Running && !is.State.Restarting:
			return fmt.Errorf("container %s has ended with status %d", c.Name, is.State.ExitCode)
		default:
			pause = restartLook
		}
	}
}

// containerStatus is what there is to know of a container.
type containerStatus struct {
	State struct {
		Running, Restarting bool
		ExitCode            int
	}
}

// do asks the daemon for something and waits until it is done.
func (c *Container) do(ctx context.Context, verb string, query url.Values) error {
	if err := c.ask(ctx, http.MethodPost, verb, query, nil); err != nil {
		return fmt.Errorf("%s container %s: %w", verb, c.Name, err)
	}
	return nil
}

// ask makes a request about the container, and reads the answer if that is wanted.
func (c *Container) ask(ctx context.Context, method, what string, query url.Values, to any) error {
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
	// Without a version the daemon takes its newest; these few have been the same
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
	return answer(resp, to)
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
const maxAnswer = 1 << 20

// answer reads the daemon's answer, or makes an error of it.
func answer(resp *http.Response, to any) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	switch resp.StatusCode {
	case http.StatusNoContent, http.StatusNotModified: // it was so already
		return nil
	case http.StatusOK:
		if err == nil && to != nil {
			err = json.Unmarshal(body, to)
		}
		if err != nil {
			return fmt.Errorf("read the daemon's answer: %w", err)
		}
		return nil
	}
	var said struct{ Message string }
	if json.Unmarshal(body, &said) == nil && said.Message != "" {
		return &daemonError{"says: " + said.Message}
	}
	return &daemonError{"answers " + resp.Status}
}

// daemonError is an answer that is no success.
type daemonError struct{ text string }

func (e *daemonError) Error() string { return "the daemon " + e.text }
