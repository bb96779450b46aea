package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/command"
)

func TestMain(m *testing.M) { command.Main(m, main) }

func TestBlock(t *testing.T) {
	testkit.RequireRoot(t)
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	get := func(timeout time.Duration) error {
		client := http.Client{Timeout: timeout, Transport: &http.Transport{DisableKeepAlives: true}}
		r, err := client.Get(server.URL)
		if err == nil {
			r.Body.Close()
		}
		return err
	}

	p := command.Start(t)
	p.Expect("^blocking responses on lo")
	if err := get(500 * time.Millisecond); !os.IsTimeout(err) {
		t.Errorf("get while blocked: %v", err)
	}
	from := strings.ReplaceAll(strings.TrimPrefix(server.URL, "http://"), ".", `\.`)
	p.Expect(`^blocked ` + from + ` -> 127\.0\.0\.1:\d+$`)
	p.Interrupt()
	p.Expect(`^[1-9]\d* packets blocked$`)
	if err := get(10 * time.Second); err != nil {
		t.Errorf("get afterwards: %v", err)
	}
}
