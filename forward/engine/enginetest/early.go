//go:build linux

package enginetest

import (
	"bytes"
	"fmt"
	"time"

	"github.com/waggle-bpf/waggle/internal/testkit/stream"
)

// earlyCases are pairs of which the router has taken something: the client sent
// before there was a backend, and not all of it has been read.
var earlyCases = []struct {
	name   string
	script script
	take   int
}{
	{"all of a request", script{Client: side{Size: 500, EndAt: 300}, Server: side{Size: 300, Start: 500}}, 500},
	{"part of a request", script{Client: side{Size: 500, EndAt: 300}, Server: side{Size: 300, Start: 500}}, 60},
	{"part of one write of two", script{Client: side{Size: 120, Write: pace{Min: 60, Max: 60}, EndAt: 4}, Server: side{Size: 4, Start: 120}}, 60},
	{"4 KiB of a long first write", script{Client: side{Size: 16 << 10, EndAt: 9}, Server: side{Size: 9, Start: 16 << 10}}, 4 << 10},
	{"nothing of what is there", script{Client: side{Size: 16 << 10, EndAt: 9}, Server: side{Size: 9, Start: 16 << 10}}, 0},
	{"the head of an upload", script{Client: side{Size: 1 << 20}, Server: side{EndAt: stream.AfterEnd}}, 1000},
	{"a header in front", script{Client: side{Size: 3000, EndAt: 1}, Server: side{Size: 1, Start: 3000}, Prefix: proxyHeader}, 40},
	{"a header in front of nothing", script{Client: side{EndAt: 30}, Server: side{Size: 30}, Prefix: proxyHeader}, 0},
	{"a header, the end is there", script{Client: side{Size: 100}, Server: side{Size: 3000, Start: stream.AfterEnd}, Prefix: proxyHeader}, 100},
	{"a long header and much taken", script{Client: side{Size: 300_000}, Server: side{Size: 1, Start: stream.AfterEnd}, Prefix: bytes.Repeat([]byte("p"), 60_000)}, 100_000},
	{"the end is there, all taken", script{Client: side{Size: 300}, Server: side{Size: 1 << 20, Start: stream.AfterEnd}}, 300},
	{"the end is there, nothing taken", script{Client: side{Size: 300}, Server: side{Size: 1 << 20, Start: stream.AfterEnd}}, 0},
	{"the backend has spoken and ended", script{Client: side{Size: 1 << 20, Start: stream.AfterEnd}, Server: side{Size: 300}}, 0},
	{"both have spoken and ended", script{Client: side{Size: 300}, Server: side{Size: 300}}, 0},
}

var proxyHeader = []byte("PROXY TCP4 192.0.2.1 192.0.2.2 4711 443\r\n")

// early checks what came before Forward was called.
func early(z size) (list []check) {
	for _, c := range earlyCases {
		list = append(list, check{"early/" + c.name, always, func(r *rig) error {
			return r.earlyConversation(c.script, c.take)
		}})
	}
	return append(list, check{"early/random", always, func(r *rig) error { return r.randomEarly(z.early) }})
}

// randomEarly takes any number of bytes of writes of any size.
func (r *rig) randomEarly(n int) error {
	for i := range n {
		size := 1 + i*i*37%20_000
		sc := script{
			Seed:   uint64(i + 1),
			Client: side{Size: int64(size), Write: pace{Min: 1 + i%300, Max: 1 + i%300 + i*i%5000}, EndAt: 1},
			Server: side{Size: 1, Start: stream.When(size)},
			Prefix: proxyHeader[:i%len(proxyHeader)],
		}
		if err := r.earlyConversation(sc, i*31%(size+1)); err != nil {
			return fmt.Errorf("script %d, %d taken of %+v: %w", i, i*31%(size+1), sc, err)
		}
	}
	return nil
}

// earlyConversation gives both ends a moment to send what they can before anything
// is taken or forwarded.
func (r *rig) earlyConversation(sc script, take int) error {
	s, err := r.newSession()
	if err != nil {
		return err
	}
	defer s.close()
	s.headStart = 2 * time.Millisecond
	return s.play(&sc, take)
}
