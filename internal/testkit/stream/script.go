package stream

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Script is a conversation: what each of two sides does.
type Script struct {
	// Seed determines the bytes, the sizes of reads and writes, and the pauses.
	Seed   uint64
	Client Side
	Server Side
	// Prefix is what the server gets before the client's stream, such as a header
	// that a forwarder adds.
	Prefix []byte
}

// Side is what one end does. It always reads until the other's stream has ended,
// unless it resets the connection before.
type Side struct {
	// Size is how many bytes it sends.
	Size int64
	// Start is when it sends its first byte.
	Start When
	// End is how it ends its stream, when all is sent and EndAt has come.
	End   End
	EndAt When
	Write Pace
	Read  Pace
}

// When is a moment: when that many bytes of the other's stream have arrived.
type When int64

// Moments other than numbers of bytes.
const (
	AtOnce   When = 0
	AfterEnd When = -1 // when the other's stream has ended
)

// End is how a stream ends.
type End int

// The ends of a stream. A side that resets gives up its reading, too.
const (
	FIN End = iota
	RST
	None // it has not ended
)

func (e End) String() string { return [...]string{"FIN", "RST", "no end"}[e] }

// Pace is how a stream is cut into reads or writes.
type Pace struct {
	// Min and Max limit the size of a call, 64 KiB if zero. Small sizes are as
	// likely as large ones.
	Min, Max int
	// Delay is how long to wait before the first call.
	Delay time.Duration
	// Pause is the longest wait between two calls; there is one before every
	// Every'th call, more or less.
	Pause time.Duration
	Every int
}

// The paces of most scripts.
var (
	Bytewise = Pace{Min: 1, Max: 1}
	Ragged   = Pace{Min: 1, Max: 1 << 20}
	Halting  = Pace{Min: 1, Max: 64 << 10, Pause: 2 * time.Millisecond, Every: 8}
)

const defaultChunk = 64 << 10

func (p Pace) limits() (low, high int) {
	if p.Max == 0 {
		return defaultChunk, defaultChunk
	}
	return max(p.Min, 1), p.Max
}

// chunk is the size of the next call.
func (p Pace) chunk(rng *rand.Rand) int {
	low, high := p.limits()
	if low >= high {
		return high
	}
	// A random number of binary digits first, then a random number of that many.
	for n := low; ; n *= 2 {
		if n*2 > high {
			return n + rng.IntN(high-n+1)
		}
		if rng.IntN(digits(high/n)) == 0 {
			return n + rng.IntN(n)
		}
	}
}

// digits is how many times n can be halved, plus one.
func digits(n int) (d int) {
	for ; n > 0; n /= 2 {
		d++
	}
	return d
}

func (p Pace) wait(rng *rand.Rand, call int) {
	if call == 0 && p.Delay > 0 {
		time.Sleep(p.Delay)
	}
	if p.Pause > 0 && rng.IntN(max(p.Every, 1)) == 0 {
		time.Sleep(time.Duration(rng.Int64N(int64(p.Pause))))
	}
}

// Check tells whether the conversation can come to an end.
func (s *Script) Check() error {
	sides := [2]*Side{&s.Client, &s.Server}
	var sent, ended [2]bool
	for range 4 { // each of four steps can enable the others
		for i, me := range sides {
			other := sides[1-i]
			reached := func(w When) bool {
				switch {
				case w == AtOnce:
					return true
				case w == AfterEnd:
					return ended[1-i] && other.End == FIN
				}
				return sent[1-i] && int64(w) <= other.Size
			}
			sent[i] = sent[i] || reached(me.Start)
			ended[i] = ended[i] || sent[i] && reached(me.EndAt)
		}
	}
	for i, name := range sideNames {
		if !ended[i] && sides[1-i].End != RST {
			return fmt.Errorf("play script: the %s waits for ever", name)
		}
	}
	if !ended[0] && !ended[1] {
		return errors.New("play script: both sides wait for ever")
	}
	return nil
}

var sideNames = [2]string{"client", "server"}

// Random returns a script whose sides send less than limit bytes each, of any
// shape but for resets.
func Random(rng *rand.Rand, limit int64) Script {
	for {
		s := Script{Seed: rng.Uint64(), Client: randomSide(rng, limit), Server: randomSide(rng, limit)}
		if s.Check() == nil {
			return s
		}
	}
}

func randomSide(rng *rand.Rand, limit int64) Side {
	whens := []When{AtOnce, AtOnce, 1, AfterEnd, When(rng.Int64N(limit))}
	paces := []Pace{{}, Ragged, Ragged, Halting, {Min: 100, Max: 2000}}
	return Side{
		Size:  int64(Pace{Min: 1, Max: int(limit)}.chunk(rng)) - 1,
		Start: whens[rng.IntN(len(whens))],
		EndAt: whens[rng.IntN(len(whens))],
		Write: paces[rng.IntN(len(paces))],
		Read:  paces[rng.IntN(len(paces))],
	}
}
