package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/bpf/bpftest"
	"github.com/waggle-bpf/waggle/internal/testkit/rtnl"
)

// flood sends requests without a server, faster than any could answer them: packets
// that come in on a tunnel device, on 64 connections in turn.
type flood struct {
	rate     int // requests a second
	pipeline int // requests in a packet
	duration time.Duration
}

const (
	floodFlows = 64
	seqOffset  = 20 + 4 // of the sequence number behind an IPv4 header
)

// run returns how many requests it sent.
func (f flood) run(ctx context.Context, tunnel *os.File) (sent uint64, took time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, f.duration)
	defer cancel()
	payload := strings.Repeat(request, f.pipeline)
	packets := make([][]byte, floodFlows)
	for i := range packets {
		packets[i] = bpftest.Packet{
			Src: fmt.Sprintf("10.0.0.1:%d", 20_000+i), Dst: "10.0.0.2:80", NoEthernet: true, Payload: payload,
		}.Bytes()
	}
	begin := time.Now()
	for seq := uint32(0); ctx.Err() == nil; seq += uint32(len(payload)) {
		for _, p := range packets {
			binary.BigEndian.PutUint32(p[seqOffset:], seq)
			if _, err := tunnel.Write(p); err != nil {
				return sent, time.Since(begin), err
			}
			sent += uint64(f.pipeline)
		}
		due := time.Duration(float64(sent) / float64(f.rate) * float64(time.Second))
		sleep(due - time.Since(begin))
	}
	return sent, time.Since(begin), nil
}

// sleep keeps the thread and its priority, where time.Sleep would wait for another
// thread to wake it.
func sleep(d time.Duration) {
	if d > 0 {
		t := unix.NsecToTimespec(d.Nanoseconds())
		_ = unix.Nanosleep(&t, nil) // too short does no harm
	}
}

// openTunnel makes a tunnel device and brings it up. What is written to the file comes
// in on it.
func openTunnel() (*os.File, error) {
	const name = "tun0"
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open tunnel: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	req, err := unix.NewIfreq(name)
	if err != nil {
		return nil, err
	}
	req.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		return nil, fmt.Errorf("make tunnel: %w", err)
	}
	dev, err := net.InterfaceByName(name)
	if err != nil {
		return nil, err
	}
	return f, rtnl.Do(func(c *rtnl.Conn) error { return c.SetUp(dev.Index) })
}
