//go:build linux

package redirect

import (
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

// TestTools loads servers with the tools that are made for it: no request fails, and most
// of them take the short cut.
func TestTools(t *testing.T) {
	for _, test := range []struct {
		name   string
		port   uint16
		server func(t *testing.T) *exec.Cmd
		client []string
		// good has to be in what the client prints, bad must not.
		good, bad string
	}{
		{
			"redis", redisPort,
			func(t *testing.T) *exec.Cmd {
				cmd := exec.Command(testkit.RequireTool(t, "redis-server"), "--port", strconv.Itoa(int(redisPort)), "--bind", "127.0.0.1", "--save", "", "--daemonize", "no")
				cmd.Dir = t.TempDir()
				return cmd
			},
			[]string{"redis-benchmark", "-p", strconv.Itoa(int(redisPort)), "-c", "8", "-d", "500", "-n", "4000", "-P", "2", "-t", "set,get,lpush,lrange_300", "-q"},
			`LRANGE_300.*requests per second`, `(?i)error|closed|reset`,
		},
		{
			"wrk", nginxPort, nginx,
			// Its head does not fit nginx's first buffer.
			[]string{"wrk", "-t", "1", "-c", "8", "-d", "1s", "-H", "X-Filler: " + strings.Repeat("x", 3000), "http://" + at(nginxPort) + "/still"},
			`Requests/sec: +[1-9]`, `Socket errors|Non-2xx`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			client := testkit.RequireTool(t, test.client[0])
			s := startShort(t)
			s.daemon(t, test.port, test.server(t))
			// What was connected before the programs were looked at goes through TCP.
			for range 2 {
				cmd := exec.Command(client, test.client[1:]...)
				s.Use(t, cmd)
				out, err := cmd.CombinedOutput()
				if err != nil || !regexp.MustCompile(test.good).Match(out) || regexp.MustCompile(test.bad).Match(out) {
					t.Errorf("%v: %s", err, out)
				}
			}
			text := strings.Join(s.Interrupt(), "\n")
			if strings.Contains(text, "connections of nginx") {
				return // this kernel would let it wait in vain
			}
			m := regexp.MustCompile(`: (\d+) messages, .* short-cut; (\d+) messages`).FindStringSubmatch(text)
			if m == nil {
				t.Fatalf("no account in %q", text)
			}
			short, _ := strconv.Atoi(m[1])
			passed, _ := strconv.Atoi(m[2])
			if short < 1000 || short < passed {
				t.Errorf("most went through TCP: %s", text)
			}
		})
	}
}
