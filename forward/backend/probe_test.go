package backend

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// speaker is a server that reads until it has seen want, then says text and waits for the
// client to go.
func speaker(t *testing.T, want, text string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(10 * time.Second))
			var got strings.Builder
			r := bufio.NewReader(c)
			for !strings.Contains(got.String(), want) {
				b, err := r.ReadByte()
				if err != nil {
					break
				}
				got.WriteByte(b)
			}
			_, _ = io.WriteString(c, text)
			if text == "" {
				_, _ = r.ReadByte()
			}
			c.Close()
		}
	}()
	return l.Addr().String()
}

func TestProbes(t *testing.T) {
	const head = "\r\n\r\n"
	for _, test := range []struct {
		name       string
		probe      Probe
		want, text string // what the server waits for and says
		err        string
	}{
		{"tcp", TCP{}, "", "", ""},
		{"http", HTTP{}, "GET / HTTP/1.1\r\nHost: 127.0.0.1:", "HTTP/1.1 200 OK\r\n\r\n", ""},
		{"http redirect", HTTP{}, head, "HTTP/1.1 302 Found\r\n\r\n", ""},
		{"http 1.0", HTTP{}, head, "HTTP/1.0 204 \n", ""},
		{"http head", HTTP{Method: "HEAD", Path: "/up", Host: "a.test"}, "HEAD /up HTTP/1.1\r\nHost: a.test\r\n", "HTTP/1.1 200 OK\r\n", ""},
		{"http status", HTTP{Path: "/up"}, head, "HTTP/1.1 503 Service Unavailable\r\n\r\n", "GET /up: status 503"},
		{"http wanted", HTTP{Status: []StatusRange{{401, 401}, {500, 599}}}, head, "HTTP/1.1 503 x\r\n", ""},
		{"http not wanted", HTTP{Status: []StatusRange{{401, 401}, {500, 599}}}, head, "HTTP/1.1 200 OK\r\n", "GET /: status 200"},
		{"http not", HTTP{}, head, "SSH-2.0-x\r\n", `no HTTP response but "SSH-2.0-x\r\n"`},
		{"http no code", HTTP{}, head, "HTTP/1.1 abc\r\n", `no HTTP response but "HTTP/1.1 abc\r\n"`},
		{"http long", HTTP{}, head, strings.Repeat("x", 5000), `no HTTP response but "` + strings.Repeat("x", 64) + `"...`},
		{"http closed", HTTP{}, head, "\n", `no HTTP response but "\n"`},
		{"http silent", HTTP{}, head, "", "no answer in 200ms"},
		{"expect", Expect{Send: []byte("PING\r\n"), Expect: []byte("+PONG")}, "PING\r\n", "+PONG\r\n", ""},
		{"expect banner", Expect{Expect: []byte("SSH-2.0-")}, "", "SSH-2.0-OpenSSH\r\n", ""},
		{"expect other", Expect{Expect: []byte("SSH-2.0-")}, "", "220 mail", `expected "SSH-2.0-", got "220 mail"`},
		{"expect part", Expect{Expect: []byte("SSH-2.0-")}, "", "SSH", `expected "SSH-2.0-", got "SSH": EOF`},
		{"expect silent", Expect{Expect: []byte("SSH-2.0-")}, "", "", "no answer in 200ms"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			timeout := 10 * time.Second
			if strings.HasPrefix(test.err, "no answer") {
				timeout = 200 * time.Millisecond
			}
			// The check is made here, not by the group.
			g := newGroup(t, Config{Targets: targets(speaker(t, test.want, test.text))})
			g.config.Check = &Check{Probe: test.probe, Timeout: timeout}
			if got := errorText(g.check(t.Context(), g.targets[0].backends[0])); got != test.err {
				t.Errorf("got %q, want %q", got, test.err)
			}
		})
	}
}

// TestCheckGreets: a backend that wants a greeting first gets it before the probe.
func TestCheckGreets(t *testing.T) {
	const greeting = "PROXY UNKNOWN\r\n"
	for name, test := range map[string]struct {
		probe      Probe
		want, text string
	}{
		"http":   {HTTP{}, greeting + "GET / HTTP/1.1\r\n", "HTTP/1.1 200 OK\r\n\r\n"},
		"expect": {Expect{Expect: []byte("220 ")}, greeting, "220 mail\r\n"},
	} {
		g := newGroup(t, Config{Targets: targets(speaker(t, test.want, test.text))})
		g.config.Check = &Check{Probe: test.probe, Greeting: []byte(greeting), Timeout: 10 * time.Second}
		if err := g.check(t.Context(), g.targets[0].backends[0]); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestChecks: a backend goes down and comes up as its checks say, at another port.
func TestChecks(t *testing.T) {
	probed := closed(t)
	_, port, err := SplitAddress(probed)
	if err != nil {
		t.Fatal(err)
	}
	events := make(chan Status, 10)
	g := newGroup(t, Config{
		Targets:  targets("127.0.0.1:9", "10.255.0.1:9")[:1],
		Check:    &Check{Port: port, Interval: 10 * time.Millisecond, Rise: 2, Fall: 2},
		OnChange: func(s Status) { events <- s },
	})
	next := func(want State) Status {
		t.Helper()
		select {
		case s := <-events:
			if s.State != want {
				t.Fatalf("got %+v, want %s", s, want)
			}
			return s
		case <-time.After(20 * time.Second):
			t.Fatalf("not %s after 20 s: %+v", want, g.Status())
			panic("not reached")
		}
	}
	if s := next(Down); s.Why != "connect: connection refused" || s.Checks == 0 || s.Latency == 0 {
		t.Errorf("got %+v", s)
	}
	server(t, probed)
	next(Up)
}

// TestCloseEndsChecks: closing a group doesn't wait for a backend that says nothing.
func TestCloseEndsChecks(t *testing.T) {
	for name, addr := range map[string]string{"connect": blackhole(t), "probe": server(t, "127.0.0.1:0")} {
		g := newGroup(t, Config{Targets: targets(addr), Check: &Check{Probe: Expect{Expect: []byte("x")}, Timeout: time.Hour}, ConnectTimeout: time.Hour})
		began := time.Now()
		time.Sleep(20 * time.Millisecond)
		g.Close()
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s: Close took %v", name, took)
		}
		if s := g.Status()[0]; s.State != Up {
			t.Errorf("%s: closing changed the state: %+v", name, s)
		}
	}
}
