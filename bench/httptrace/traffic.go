package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// traffic is requests at a steady rate.
type traffic struct {
	rate        int // requests a second, of all connections
	connections int
	pipeline    int // requests in a write
	duration    time.Duration
}

// request is what is sent: about the size of a browser's.
const request = "GET /index.html HTTP/1.1\r\nHost: bench.example\r\nUser-Agent: httptrace\r\n" +
	"Accept: text/html,application/xhtml+xml\r\nAccept-Language: en\r\n\r\n"

// run sends the traffic and returns how many requests were answered and how long
// that took.
func (t traffic) run(ctx context.Context) (answered uint64, took time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, t.duration)
	defer cancel()
	var total atomic.Uint64
	errs := make([]error, t.connections)
	var all sync.WaitGroup
	begin := time.Now()
	for i := range t.connections {
		all.Go(func() {
			n, err := t.connection(ctx, addresses[i%len(addresses)], begin, i)
			total.Add(n)
			errs[i] = err
		})
	}
	all.Wait()
	return total.Load(), time.Since(begin), errors.Join(errs...)
}

// connection sends its share, a write each interval, and reads the answers.
func (t traffic) connection(ctx context.Context, addr string, begin time.Time, index int) (answered uint64, err error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	batch := bytes.Repeat([]byte(request), t.pipeline)
	interval := time.Duration(float64(time.Second) * float64(t.connections*t.pipeline) / float64(t.rate))
	due := begin.Add(interval * time.Duration(index) / time.Duration(t.connections))
	answers := make([]byte, 64<<10)
	for ctx.Err() == nil {
		time.Sleep(time.Until(due)) // late ones are caught up with
		due = due.Add(interval)
		if _, err := c.Write(batch); err != nil {
			return answered, err
		}
		for got := 0; got < t.pipeline; {
			n, err := c.Read(answers)
			if err != nil {
				return answered, fmt.Errorf("read answers: %w", err)
			}
			k := bytes.Count(answers[:n], []byte("hello\n"))
			got += k
			answered += uint64(k)
		}
	}
	return answered, nil
}
