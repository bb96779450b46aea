package main

import (
	"net"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/command"
)

func TestMain(m *testing.M) { command.Main(m, main) }

func TestChain(t *testing.T) {
	testkit.RequireRoot(t)
	for _, c := range []struct {
		steps  []string
		counts string
		drops  bool
	}{
		{nil, `^1 passed$`, false},
		{[]string{"ping", "fragments"}, `^1 at ping, 1 at fragments, 1 passed$`, false},
		{[]string{"ping", "udp"}, `^1 at ping, 1 at udp, 0 passed$`, true},
		{[]string{"udp", "ping"}, `^1 at udp, 0 at ping, 0 passed$`, true},
	} {
		p := command.Start(t, append([]string{"-i", "lo"}, c.steps...)...)
		p.Expect("^filtering lo")
		patience := 200 * time.Millisecond // for what must not come
		if !c.drops {
			patience = 20 * time.Second
		}
		if arrived := sendDatagram(t, patience); arrived == c.drops {
			t.Errorf("%v: datagram arrived: %v", c.steps, arrived)
		}
		p.Interrupt()
		p.Expect(c.counts)
	}
}

// sendDatagram sends one over loopback and reports whether it arrived in time.
func sendDatagram(t *testing.T, patience time.Duration) bool {
	t.Helper()
	receiver, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer receiver.Close()
	sender, err := net.Dial("udp", receiver.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close()
	if _, err := sender.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if err := receiver.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	_, _, err = receiver.ReadFrom(make([]byte, 16))
	return err == nil
}

func TestBadSteps(t *testing.T) {
	testkit.RequireRoot(t)
	command.Fails(t, `no step "pong", there are fragments, ping, udp`, "pong")
	command.Fails(t, "9 steps, 8 is the most", "udp", "udp", "udp", "udp", "udp", "udp", "udp", "udp", "udp")
}
