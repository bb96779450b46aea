//go:build linux

package forward

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// echoPort is where the server listens that most tests forward to.
const echoPort uint16 = 9007

// startEcho serves until the test ends: it sends back what it gets, with the end.
func startEcho(t *testing.T) {
	t.Helper()
	serve(t, echoPort, func(c *net.TCPConn) {
		buf := make([]byte, 4<<10)
		for {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			if _, err := c.Write(buf[:n]); err != nil {
				return
			}
		}
	})
}

// serve lets a function talk with each connection, which is closed afterwards. When
// the test ends, it ends all and waits.
func serve(t *testing.T, port uint16, talk func(*net.TCPConn)) {
	t.Helper()
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	l, err := config.Listen(context.Background(), "tcp4", at(port))
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	open := make(map[net.Conn]bool)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[c] = true
			mu.Unlock()
			running.Go(func() {
				talk(c.(*net.TCPConn))
				c.Close()
				mu.Lock()
				delete(open, c)
				mu.Unlock()
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for c := range open {
			c.Close()
		}
		mu.Unlock()
		running.Wait()
	})
}

// talker is a client that exchanges numbered messages with an echo server.
type talker struct {
	conn  net.Conn
	trips atomic.Int64
}

// dialTalker connects to a port and makes the first round trip.
func dialTalker(port uint16) (*talker, error) {
	c, err := net.DialTimeout("tcp4", at(port), patience)
	if err != nil {
		return nil, err
	}
	k := &talker{conn: c}
	if err := k.trip(); err != nil {
		c.Close()
		return nil, err
	}
	return k, nil
}

// trip sends a message, and wants exactly it back.
func (k *talker) trip() error {
	const size = 64
	var out, in [size]byte
	for i := 0; i < size; i += 8 {
		binary.BigEndian.PutUint64(out[i:], uint64(k.trips.Load())<<8|uint64(i))
	}
	if err := k.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if _, err := k.conn.Write(out[:]); err != nil {
		return err
	}
	if _, err := io.ReadFull(k.conn, in[:]); err != nil {
		return fmt.Errorf("after %d round trips: %w", k.trips.Load(), err)
	}
	if in != out {
		return fmt.Errorf("after %d round trips: sent %x, got %x", k.trips.Load(), out, in)
	}
	k.trips.Add(1)
	return nil
}

// end ends the stream, and wants the other's end.
func (k *talker) end() error {
	defer k.conn.Close()
	if err := k.conn.(*net.TCPConn).CloseWrite(); err != nil {
		return err
	}
	n, err := io.Copy(io.Discard, k.conn)
	if n > 0 {
		err = errors.Join(err, fmt.Errorf("%d bytes too many", n))
	}
	return err
}

// crowd is many talkers at once.
type crowd struct {
	talkers []*talker
	over    atomic.Bool
	running sync.WaitGroup
	mu      sync.Mutex
	errs    []error
}

// gather connects n talkers, which make a round trip every so often until the crowd
// is dispersed.
func gather(t *testing.T, port uint16, n int, every time.Duration) *crowd {
	t.Helper()
	c := new(crowd)
	t.Cleanup(func() { // if nobody disperses it
		c.over.Store(true)
		for _, k := range c.talkers {
			k.conn.Close()
		}
		c.running.Wait()
	})
	for i := range n {
		k, err := dialTalker(port)
		if err != nil {
			t.Fatalf("talker %d: %v", i, err)
		}
		c.talkers = append(c.talkers, k)
		c.running.Go(func() {
			for !c.over.Load() {
				time.Sleep(every)
				if err := k.trip(); err != nil {
					c.note(err)
					return
				}
			}
			if err := k.end(); err != nil {
				c.note(fmt.Errorf("end: %w", err))
			}
		})
	}
	return c
}

func (c *crowd) note(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.errs = append(c.errs, err)
}

// progress waits until each talker has made n round trips more, or has failed.
func (c *crowd) progress(t *testing.T, n int64) {
	t.Helper()
	before := make([]int64, len(c.talkers))
	for i, k := range c.talkers {
		before[i] = k.trips.Load()
	}
	eventually(t, fmt.Sprintf("%d round trips of everybody", n), func() bool {
		if c.failed(t) {
			t.FailNow()
		}
		for i, k := range c.talkers {
			if k.trips.Load() < before[i]+n {
				return false
			}
		}
		return true
	})
}

// spliced waits until the kernel moves all connections.
func (c *crowd) spliced(t *testing.T) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d spliced connections", len(c.talkers)), func() bool {
		if c.failed(t) {
			t.FailNow()
		}
		return metric(t, "waggle_forward_engine_connections", `engine="packet"`) == float64(len(c.talkers))
	})
}

// failed tells what has gone wrong.
func (c *crowd) failed(t *testing.T) bool {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.errs) > 0 {
		t.Errorf("%d of %d connections failed, first: %v", len(c.errs), len(c.talkers), c.errs[0])
	}
	return len(c.errs) > 0
}

// disperse lets all talkers end their streams, and wants all of them to end well.
func (c *crowd) disperse(t *testing.T) {
	t.Helper()
	c.over.Store(true)
	c.running.Wait()
	c.failed(t)
}

// metricsPort is where the forwarder serves its metrics.
const metricsPort uint16 = 8900

// metric sums a metric over those of its series that have all the given labels, each
// as `name="value"`.
func metric(t *testing.T, name string, labels ...string) float64 {
	t.Helper()
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get("http://" + at(metricsPort) + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var sum float64
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		line := lines.Text()
		behind := strings.LastIndexByte(line, ' ') // labels may have blanks
		value := line[behind+1:]
		series, rest, _ := strings.Cut(line[:max(behind, 0)], "{")
		missing := slices.ContainsFunc(labels, func(l string) bool { return !strings.Contains(rest, l) })
		if v, err := strconv.ParseFloat(value, 64); series == name && !missing && err == nil {
			sum += v
		}
	}
	return sum
}
