package main

import (
	"bytes"
	"crypto/rand"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/internal/testkit/command"
)

func TestMain(m *testing.M) { command.Main(m, main) }

func start(t *testing.T) (p *command.Process, addr string) {
	t.Helper()
	testkit.RequireRoot(t)
	p = command.Start(t, "-l", "127.0.0.1:0")
	return p, p.Expect(`^echoing on (\S+), `)[1]
}

// TestEcho talks to and fro, the first words being said before anybody may have
// accepted the connection.
func TestEcho(t *testing.T) {
	p, addr := start(t)
	for range 20 {
		c := dial(t, addr)
		for _, word := range []string{"hello", "again", "bye"} {
			if _, err := io.WriteString(c, word); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(word))
			if _, err := io.ReadFull(c, got); err != nil || string(got) != word {
				t.Fatalf("said %q, heard %q, %v", word, got, err)
			}
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	wantQuiet(t, p)
}

// TestEchoAll sends much and says that this was all before it has read the echo.
func TestEchoAll(t *testing.T) {
	p, addr := start(t)
	var clients sync.WaitGroup
	for range 4 {
		c := dial(t, addr)
		clients.Go(func() {
			data := make([]byte, 4<<20)
			_, _ = rand.Read(data)
			go func() {
				if _, err := c.Write(data); err != nil {
					t.Error(err)
				}
				if err := c.CloseWrite(); err != nil {
					t.Error(err)
				}
			}()
			if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, data) {
				t.Errorf("sent %d bytes, got %d, %v; equal: %v", len(data), len(got), err, bytes.Equal(got, data))
			}
		})
	}
	clients.Wait()
	wantQuiet(t, p)
}

// TestShort sends a word and the end at once.
func TestShort(t *testing.T) {
	p, addr := start(t)
	for range 50 {
		c := dial(t, addr)
		if _, err := io.WriteString(c, "word"); err != nil {
			t.Fatal(err)
		}
		if err := c.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(c); string(got) != "word" || err != nil {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	wantQuiet(t, p)
}

func dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn)
}

// wantQuiet ends the server and wants it to have complained about nothing.
func wantQuiet(t *testing.T, p *command.Process) {
	t.Helper()
	if lines := p.Interrupt(); len(lines) != 1 {
		t.Errorf("the server complains: %q", lines[1:])
	}
}
