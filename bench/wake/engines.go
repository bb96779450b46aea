package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/waggle-bpf/waggle/forward/config"
)

// engines shows what moves the bytes of a client that has woken the target.
func engines(ctx context.Context, o *options) error {
	fmt.Println()
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "--engine\tdirect\tthrough\tmoved by\twhy")
	for _, engine := range config.Engines {
		line, err := afterwards(ctx, o, engine)
		if err != nil {
			return fmt.Errorf("engine %s: %w", engine, err)
		}
		fmt.Fprintln(w, line)
	}
	return w.Flush()
}

// afterwards wakes the target and measures the connection that has woken it.
func afterwards(ctx context.Context, o *options, engine string) (string, error) {
	var log bytes.Buffer
	stop, err := startWaggle(ctx, o, 0, engine, &log)
	if err != nil {
		return fmt.Sprintf("%s\t-\t-\t-\t%v", engine, err), nil // it can't run here, and says why
	}
	through, err := roundTrip(front)
	if err != nil {
		stop()
		return "", err
	}
	direct, err := roundTrip(back)
	stop()
	if err != nil {
		return "", err
	}
	var said struct {
		Engine string
		Why    string `json:"engine_why"`
	}
	if err := json.Unmarshal(log.Bytes(), &said); err != nil {
		return "", fmt.Errorf("read access log: %w", err)
	}
	return fmt.Sprintf("%s\t%.1f\t%.1f\t%s\t%s", engine, micros(direct), micros(through), said.Engine, said.Why), nil
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// roundTrip is the median time of many, over one connection, the first of which don't
// count: an engine may take some time until it is at its best.
func roundTrip(addr string) (time.Duration, error) {
	const trips, first = 6000, 1000
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	var list []time.Duration
	for i := range trips {
		began := time.Now()
		if err := ask(c); err != nil {
			return 0, err
		}
		if i >= first {
			list = append(list, time.Since(began))
		}
	}
	slices.Sort(list)
	return list[len(list)/2], nil
}
