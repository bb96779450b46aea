package main

import (
	"net"
	"strconv"
	"testing"

	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/command"
)

func TestMain(m *testing.M) { command.Main(m, main) }

// TestCount sends datagrams over loopback, where each one leaves and arrives.
func TestCount(t *testing.T) {
	testkit.RequireRoot(t)
	p := command.Start(t, "-every", "1h")
	p.Expect("^counting packets on lo")
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
	const packets, size = 10, 100
	for range packets {
		if _, err := sender.Write(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := receiver.ReadFrom(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
	}
	p.Interrupt()
	const headers = 14 + 20 + 8
	row := ` +UDP +` + strconv.Itoa(packets) + ` +` + strconv.Itoa(packets*(headers+size)) + ` +\[\d`
	p.Expect("^in" + row)
	p.Expect("^out" + row)
}
