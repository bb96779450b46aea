package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/command"
)

func TestMain(m *testing.M) { command.Main(m, main) }

func TestCount(t *testing.T) {
	testkit.RequireRoot(t)
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	p := command.Start(t)
	p.Expect("^counting requests on lo")
	for range 3 {
		r, err := http.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
	}
	p.Interrupt()
	p.Expect(`^127\.0\.0\.1 3$`)
}

// TestReadme: the kernel half is the program that the README shows.
func TestReadme(t *testing.T) {
	kern, err := os.ReadFile(filepath.Join("kern", "kern.go"))
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, body, ok := strings.Cut(string(kern), "package kern\n")
	if !ok || !strings.Contains(string(readme), "package httpcount\n"+body+"```") {
		t.Error("kern/kern.go is not, but for its package's name, the program in the README")
	}
}
