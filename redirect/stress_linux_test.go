package redirect_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/internal/testkit/stream"
	"github.com/waggle-bpf/waggle/redirect"
)

// TestDuplex lets readers that wait for news after short reads, or when they are told
// that there is nothing, read streams that go both ways at once, on connections that
// leave the short cut at any moment: nothing is lost, and nobody waits for ever.
func TestDuplex(t *testing.T) {
	s := start(t, redirect.Options{Mark: redirect.MinMark * 4})
	l := rawListener(t)
	told := counts(t)
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	rounds := 6
	if testing.Short() {
		rounds = 3
	}
	for round := range rounds {
		var running sync.WaitGroup
		for i := range 8 {
			a, b := rawConnect(t, l, unix.SOCK_NONBLOCK)
			turns := rng.IntN(7)
			exchange(t, a, b, turns)
			for j, dir := range [][2]int{{a, b}, {b, a}} {
				f := flow{
					from: dir[0], to: newEdge(t, dir[1], 1+rng.IntN(1<<(4+rng.IntN(13))), told && turns >= learnt && rng.IntN(2) == 0),
					size: 1 + rng.IntN(1<<(1+rng.IntN(20))), source: stream.NewSource(seed + uint64(i)),
					rng: rand.New(rand.NewPCG(seed, uint64(round*100+i*2+j))),
				}
				running.Go(func() {
					if err := f.write(); err != nil {
						t.Errorf("seed %d: write: %v", seed, err)
					}
				})
				running.Go(func() {
					got, err := f.to.read(f.size)
					if at := f.source.Differs(got, 0); err != nil || at >= 0 {
						t.Errorf("seed %d: read %d of %d bytes, %v; differs at %d", seed, len(got), f.size, err, at)
					}
				})
			}
		}
		running.Wait()
	}
	if sum := summary(t, s); sum.Ways["bulk"]+sum.Ways["backlog"] == 0 || sum.Messages == 0 {
		t.Errorf("got %+v", sum)
	}
}

// learnt is how many turns a Go program learns. Meanwhile nobody may ask.
const learnt = 5

// counts tells whether the kernel counts what is on the short cut when a process asks how
// much there is to be read. It does not before Linux 6.6.128, 6.12.75 and 6.18.14.
func counts(t *testing.T) bool {
	t.Helper()
	reader, writer := rawPair(t)
	exchange(t, reader, writer, learnt)
	put(t, writer, []byte("short"))
	wait(t, reader, unix.POLLIN)
	return must(unix.IoctlGetInt(reader, unix.TIOCINQ))(t) > 0
}

// flow is a stream from one end to the other.
type flow struct {
	from, size int
	to         *edge
	source     stream.Source
	rng        *rand.Rand
}

// write sends the stream in pieces, with pauses.
func (f *flow) write() error {
	for sent := 0; sent < f.size; {
		b := make([]byte, min(f.size-sent, 1+f.rng.IntN(1<<(1+f.rng.IntN(17)))))
		f.source.Fill(b, int64(sent))
		n, err := unix.Write(f.from, b)
		if errors.Is(err, unix.EAGAIN) {
			fds := []unix.PollFd{{Fd: int32(f.from), Events: unix.POLLOUT}}
			if n, err := unix.Poll(fds, int(patience/time.Millisecond)); n == 0 && err == nil {
				return fmt.Errorf("no room after %d of %d bytes", sent, f.size)
			}
			continue
		}
		if err != nil {
			return err
		}
		sent += n
		if f.rng.IntN(20) == 0 {
			time.Sleep(time.Duration(f.rng.IntN(2000)) * time.Microsecond)
		}
	}
	return nil
}
