package main

import (
	"io"
	"net"
	"testing"

	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/command"
)

func TestMain(m *testing.M) { command.Main(m, main) }

const rounds = 100

func TestRedirect(t *testing.T) {
	group := testkit.NewCgroup(t)
	p := command.Start(t, "-cgroup", group.Path)
	p.Expect("^redirecting between processes of ")
	group.Join(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()

	for range rounds {
		say(t, client, server, "to the server")
		say(t, server, client, "and back")
	}
	p.Interrupt()
	// Every message was redirected, and arrived.
	p.Expect(`^200 messages redirected, 2100 bytes; 0 passed$`)
	say(t, client, server, "the usual way")
}

func say(t *testing.T, from, to net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(from, text); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(to, got); err != nil || string(got) != text {
		t.Fatalf("said %q, got %q, %v", text, got, err)
	}
}

func TestNoCgroup(t *testing.T) {
	testkit.RequireRoot(t)
	command.Fails(t, "no control group named")
}
