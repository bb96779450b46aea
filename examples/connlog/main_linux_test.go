package main

import (
	"io"
	"net"
	"regexp"
	"slices"
	"testing"

	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/command"
)

func TestMain(m *testing.M) { command.Main(m, main) }

func TestLog(t *testing.T) {
	group := testkit.NewCgroup(t)
	p := command.Start(t, "-cgroup", group.Path)
	p.Expect("^logging connections of ")
	group.Join(t)
	server, client := connectAndClose(t)

	// All three sockets are in the group. Their lines mix, each one's are in order.
	lines := p.Interrupt()
	p.Expect("^[0-9]+ changes, 0 lost$")
	wantInOrder(t, lines, "^"+client+" -> "+server+"  ",
		"CLOSE -> SYN_SENT", "SYN_SENT -> ESTABLISHED", "ESTABLISHED -> FIN_WAIT1", "FIN_WAIT1 -> FIN_WAIT2", "FIN_WAIT2 -> CLOSE")
	wantInOrder(t, lines, "^"+server+" -> "+client+"  ",
		"LISTEN -> SYN_RECV", "SYN_RECV -> ESTABLISHED", "ESTABLISHED -> CLOSE_WAIT", "CLOSE_WAIT -> LAST_ACK", "LAST_ACK -> CLOSE")
	wantInOrder(t, lines, "^"+server+` -> 0\.0\.0\.0:0  `, "CLOSE -> LISTEN", "LISTEN -> CLOSE")
}

// connectAndClose makes a connection that the client closes first, and returns
// the addresses of its ends as patterns.
func connectAndClose(t *testing.T) (server, client string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	for _, end := range []net.Conn{s, c} {
		if _, err := io.ReadAll(end); err != nil {
			t.Error(err)
		}
		end.Close()
	}
	return regexp.QuoteMeta(l.Addr().String()), regexp.QuoteMeta(c.LocalAddr().String())
}

// wantInOrder wants exactly these changes behind the prefix.
func wantInOrder(t *testing.T, lines []string, prefix string, changes ...string) {
	t.Helper()
	start := regexp.MustCompile(prefix)
	var got []string
	for _, line := range lines {
		if loc := start.FindStringIndex(line); loc != nil {
			got = append(got, line[loc[1]:])
		}
	}
	if !slices.Equal(got, changes) {
		t.Errorf("%s: got %q, want %q", prefix, got, changes)
	}
}

func TestNoCgroup(t *testing.T) {
	testkit.RequireRoot(t)
	command.Fails(t, "nowhere", "-cgroup", "/sys/fs/cgroup/nowhere")
}
