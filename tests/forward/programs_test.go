//go:build linux

package forward

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/stream"
)

// The ports of the forwarder.
const (
	httpFront     uint16 = 8080
	tlsFront      uint16 = 8443
	sshFront      uint16 = 8022
	redisFront    uint16 = 8379
	postgresFront uint16 = 8432
	iperfFront    uint16 = 8201
	returnFront   uint16 = 8202
)

var fronts = []uint16{httpFront, tlsFront, sshFront, redisFront, postgresFront, iperfFront, returnFront}

// programsConfig routes by the first bytes where there are some, and does not where the
// connection goes to one place.
const programsConfig = `
listeners:
  http: {address: "127.0.0.1:8080", engine: ENGINE, to: http}
  tls:
    address: 127.0.0.1:8443
    engine: ENGINE
    routes:
      - {sni: alpha.example.org, to: alpha}
      - {sni: beta.example.org, to: beta}
  ssh:
    address: 127.0.0.1:8022
    engine: ENGINE
    routes: [{protocol: ssh, to: ssh}]
  redis: {address: "127.0.0.1:8379", engine: ENGINE, to: redis}
  postgres: {address: "127.0.0.1:8432", engine: ENGINE, to: postgres}
  iperf: {address: "127.0.0.1:8201", engine: ENGINE, to: iperf}
  return: {address: "127.0.0.1:8202", engine: ENGINE, to: return}
groups:
  http: ["127.0.0.1:9080"]
  alpha: ["127.0.0.1:9081"]
  beta: ["127.0.0.1:9082"]
  ssh: ["127.0.0.1:9022"]
  redis: ["127.0.0.1:9379"]
  postgres: ["127.0.0.1:9432"]
  iperf: ["127.0.0.1:9201"]
  return: ["127.0.0.1:9202"]
access_log: "-"
drain: 1s
`

// world is what the programs talk to and work with.
type world struct {
	nginx string   // its directory
	login []string // for ssh
	dir   string   // for files
	big   string   // a file, and
	data  []byte   // what is in it
}

// TestPrograms lets each program do its work through each engine.
func TestPrograms(t *testing.T) {
	testkit.RequireRoot(t)
	w := &world{nginx: startNginx(t), login: startSSH(t), dir: t.TempDir()}
	startRedis(t)
	startPostgres(t)
	startIperf(t)
	w.data = make([]byte, scaled(1<<30, 20<<20))
	stream.NewSource(1).Fill(w.data, 0)
	w.big = filepath.Join(w.nginx, "files", "big")
	if err := os.WriteFile(w.big, w.data, 0o644); err != nil {
		t.Fatal(err)
	}
	// What the programs need before the first of them can run.
	w.run(t, "pgbench", "-h", "127.0.0.1", "-p", strconv.Itoa(int(postgresPort)), "-U", "postgres", "-i", "-q", "postgres")
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			f := startForwarder(t, strings.ReplaceAll(programsConfig, "ENGINE", engine), fronts...)
			for _, p := range programs {
				t.Run(p.name, func(t *testing.T) { p.run(w, t) })
			}
			if engine == "packet" {
				f.idle(t)
			}
			f.Interrupt()
		})
	}
}

var programs = []struct {
	name string
	run  func(*world, *testing.T)
}{
	{"curl downloads", (*world).curlDownloads},
	{"curl uploads", (*world).curlUploads},
	{"curl and TLS by name", (*world).curlTLS},
	{"ssh", (*world).ssh},
	{"scp", (*world).scp},
	{"redis-cli", (*world).redisCLI},
	{"redis-benchmark", (*world).redisBenchmark},
	{"pgbench", (*world).pgbench},
	{"iperf3", (*world).iperf},
	{"wrk", (*world).wrk},
}

// run runs a program and returns its standard output.
func (w *world) run(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	return w.runWith(t, nil, name, args...)
}

// runWith is run with standard input.
func (w *world) runWith(t *testing.T, in []byte, name string, args ...string) []byte {
	t.Helper()
	out, err := w.try(t, in, name, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// try is runWith for those who must not end the test.
func (w *world) try(t *testing.T, in []byte, name string, args ...string) ([]byte, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), scaled(10*time.Minute, time.Minute))
	defer cancel()
	cmd := exec.CommandContext(ctx, testkit.RequireTool(t, name), args...)
	var out, problems bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Dir = bytes.NewReader(in), &out, &problems, w.dir
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, problems.String())
	}
	return out.Bytes(), nil
}

// same compares what came with what is in the big file.
func (w *world) same(t *testing.T, got []byte) {
	t.Helper()
	if !bytes.Equal(got, w.data) {
		t.Errorf("got %d bytes of %d, or others", len(got), len(w.data))
	}
}

func (w *world) curlDownloads(t *testing.T) {
	w.same(t, w.run(t, "curl", "-sS", "--fail", "http://"+at(httpFront)+"/big"))
}

func (w *world) curlUploads(t *testing.T) {
	w.run(t, "curl", "-sS", "--fail", "-T", w.big, "http://"+at(httpFront)+"/upload/up")
	got, err := os.ReadFile(filepath.Join(w.nginx, "files", "upload", "up"))
	if err != nil {
		t.Fatal(err)
	}
	w.same(t, got)
}

// curlTLS: the certificate is checked against the name, so it is the right server
// that answers, and the forwarder has not looked into what it says.
func (w *world) curlTLS(t *testing.T) {
	for _, name := range []string{"alpha", "beta"} {
		host := name + ".example.org"
		out := w.run(t, "curl", "-sS", "--fail", "--cacert", filepath.Join(w.nginx, "ca.pem"),
			"--resolve", fmt.Sprintf("%s:%d:127.0.0.1", host, tlsFront), fmt.Sprintf("https://%s:%d/", host, tlsFront))
		if string(out) != name+"\n" {
			t.Errorf("%s: got %q", host, out)
		}
	}
}

func (w *world) ssh(t *testing.T) {
	args := append([]string{"-p", strconv.Itoa(int(sshFront))}, w.login...)
	if out := w.run(t, "ssh", append(args, "root@127.0.0.1", "echo hello")...); string(out) != "hello\n" {
		t.Errorf("got %q", out)
	}
	// cat ends when its input does: with the end of the stream, not the connection.
	w.same(t, w.runWith(t, w.data, "ssh", append(args, "root@127.0.0.1", "cat")...))
}

func (w *world) scp(t *testing.T) {
	args := append([]string{"-P", strconv.Itoa(int(sshFront))}, w.login...)
	copied, back := filepath.Join(w.dir, "copied"), filepath.Join(w.dir, "back")
	w.run(t, "scp", append(args, w.big, "root@127.0.0.1:"+copied)...)
	w.run(t, "scp", append(args, "root@127.0.0.1:"+copied, back)...)
	got, err := os.ReadFile(back)
	if err != nil {
		t.Fatal(err)
	}
	w.same(t, got)
}

// redisCLI stores a large value and gets it again.
func (w *world) redisCLI(t *testing.T) {
	value := w.data[:4<<20]
	port := strconv.Itoa(int(redisFront))
	w.runWith(t, value, "redis-cli", "-p", port, "-x", "set", "key")
	got := w.run(t, "redis-cli", "-p", port, "--raw", "get", "key")
	if !bytes.Equal(bytes.TrimSuffix(got, []byte("\n")), bytes.TrimSuffix(value, []byte("\n"))) {
		t.Errorf("got %d bytes of %d, or others", len(got), len(value))
	}
}

func (w *world) redisBenchmark(t *testing.T) {
	out := w.run(t, "redis-benchmark", "-p", strconv.Itoa(int(redisFront)), "-q", "-c", "50", "-P", "4",
		"-n", scaled("1000000", "20000"), "-t", "set,get,lpush,lrange_100")
	if n := len(regexp.MustCompile(`[\d.]+ requests per second`).FindAll(out, -1)); n < 4 {
		t.Errorf("got results of %d tests: %s", n, out)
	}
}

func (w *world) pgbench(t *testing.T) {
	each := scaled(20_000, 50)
	out := w.run(t, "pgbench", "-h", "127.0.0.1", "-p", strconv.Itoa(int(postgresFront)), "-U", "postgres",
		"-n", "-c", "8", "-j", "2", "-t", strconv.Itoa(each), "postgres")
	if want := fmt.Sprintf("actually processed: %d/%d", 8*each, 8*each); !bytes.Contains(out, []byte(want)) {
		t.Errorf("got no %q in %s", want, out)
	}
	// A connection for each transaction.
	w.run(t, "pgbench", "-h", "127.0.0.1", "-p", strconv.Itoa(int(postgresFront)), "-U", "postgres",
		"-n", "-S", "-C", "-c", "4", "-t", scaled("2000", "20"), "postgres")
}

// iperf sends up, then down, then both ways at once. That takes two clients and two
// servers, not --bidir: a server takes the first connections that come for those that
// it reads from, but those of a forwarder may come in another order than the client
// made its own. Then both ends of one send, both ends of another read, and neither
// moves.
func (w *world) iperf(t *testing.T) {
	seconds := scaled("20", "1")
	w.iperfRun(t, iperfFront, seconds)
	w.iperfRun(t, iperfFront, seconds, "-R")
	var both sync.WaitGroup
	both.Go(func() { w.iperfRun(t, iperfFront, seconds) })
	both.Go(func() { w.iperfRun(t, returnFront, seconds, "-R") })
	both.Wait()
}

// iperfRun runs iperf3 for some seconds, and wants something to arrive on each of its
// connections.
func (w *world) iperfRun(t *testing.T, port uint16, seconds string, options ...string) {
	args := []string{"-c", "127.0.0.1", "-p", strconv.Itoa(int(port)), "-J", "-P", "2", "-t", seconds}
	out, err := w.try(t, nil, "iperf3", append(args, options...)...)
	var report struct {
		Error string
		End   struct {
			Streams []struct {
				Receiver struct {
					Bytes int64
					Bits  float64 `json:"bits_per_second"`
				}
			}
		}
	}
	if err == nil {
		err = json.Unmarshal(out, &report)
	}
	streams := report.End.Streams
	if err != nil || report.Error != "" || len(streams) != 2 {
		t.Errorf("iperf3 %v: %d streams, %s, %v", options, len(streams), report.Error, err)
		return
	}
	for i, s := range streams {
		if s.Receiver.Bytes == 0 {
			t.Errorf("iperf3 %v: nothing has come on stream %d", options, i)
		}
		t.Logf("iperf3 %v: stream %d: %.1f Gb/s", options, i, s.Receiver.Bits/1e9)
	}
}

func (w *world) wrk(t *testing.T) {
	out := string(w.run(t, "wrk", "-t", "2", "-c", "64", "-d", scaled("30s", "1s"), "http://"+at(httpFront)+"/hello"))
	found := regexp.MustCompile(`(\d+) requests in`).FindStringSubmatch(out)
	if found == nil || found[1] == "0" || strings.Contains(out, "Socket errors") || strings.Contains(out, "Non-2xx") {
		t.Errorf("got %s", out)
	}
}
