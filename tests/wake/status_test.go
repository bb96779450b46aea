//go:build linux

package wake

import (
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/internal/testkit/command"
)

// TestStatus asks what is going on while a client is held, and when it is served.
func TestStatus(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "c.sock")
	const metrics = "127.0.0.1:9100"
	p := startWake(t, "--start", server(t, at(back), time.Second), "--control", socket, "--metrics", metrics)
	c, err := net.Dial("tcp", at(front))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p.Expect("starting the target for 1 client")
	status := command.Start(t, "wake", "status", "--control", socket)
	status.Expect(`^wake \d+, up for \d+s: 127\.0\.0\.1:8022 to 127\.0\.0\.1:9022$`)
	status.Expect(`^  start +exec:`)
	status.Expect(`^  state +starting for \d+s$`)
	status.Expect(`^  clients +1 waiting, 0 connected; 1 came, 0 were forwarded$`)
	status.Expect(`^  ` + c.LocalAddr().String() + ` +\d+s$`)
	p.Expect("target is ready; 1 client let through")
	asked := command.Start(t, "wake", "status", "--json", "--control", socket)
	asked.Expect(`"state": "ready"`)
	asked.Expect(`"starts": 1,`)
	text, err := scrape("http://" + metrics + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{`waggle_wake_state{state="ready"} 1`, "waggle_wake_starts_total 1", `waggle_forward_connections_total{listener="127.0.0.1:8022"} 1`} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no %s in the metrics", line)
		}
	}
	c.Close()
	p.Interrupt()
	command.Start(t, "wake", "status", "--control", socket).Expect("no waggle wake runs")
}

// scrape gets the metrics.
func scrape(url string) (string, error) {
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var b strings.Builder
	err = resp.Write(&b)
	return b.String(), err
}
