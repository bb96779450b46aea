package main

import (
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/command"
)

func TestMain(m *testing.M) { command.Main(m, main) }

// TestFilter connects from several of loopback's many addresses.
func TestFilter(t *testing.T) {
	testkit.RequireRoot(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "welcome")
			c.Close()
		}
	}()

	p := command.Start(t, "-deny", "127.2.0.0/16", "-allow", "127.2.3.0/24", "-deny", "127.2.3.4", "-deny", "2001:db8::/32")
	p.Expect("^filtering lo by 4 rules")
	for from, welcome := range map[string]bool{
		"127.0.0.1": true,
		"127.2.0.1": false,
		"127.2.3.1": true,
		"127.2.3.4": false,
	} {
		patience := 300 * time.Millisecond // for what must not come
		if welcome {
			patience = 20 * time.Second
		}
		if got := connects(t, from, l.Addr().String(), patience); got != welcome {
			t.Errorf("connect from %s: %v, want %v", from, got, welcome)
		}
	}
	lines := strings.Join(p.Interrupt(), "\n")
	for _, want := range []string{
		`deny 127\.2\.0\.0/16: [1-9]\d* packets`, `allow 127\.2\.3\.0/24: [1-9]`, `deny 127\.2\.3\.4/32: [1-9]\d* packets`, `deny 2001:db8::/32: 0 packets`,
	} {
		if !regexp.MustCompile(want).MatchString(lines) {
			t.Errorf("no line %s in\n%s", want, lines)
		}
	}
}

func connects(t *testing.T, from, to string, patience time.Duration) bool {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: patience}
	c, err := d.Dial("tcp", to)
	if err != nil {
		return false
	}
	defer c.Close()
	text, err := io.ReadAll(c)
	return string(text) == "welcome" && err == nil
}

func TestNoRules(t *testing.T) {
	command.Fails(t, "no rules: give -deny PREFIX")
}
