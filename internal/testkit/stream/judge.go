package stream

import (
	"bytes"
	"errors"
	"fmt"
)

// Difference is a byte that was not the one sent.
type Difference struct {
	// Offset is where it came, behind the prefix. It is negative in the prefix.
	Offset int64
	// Origin is the place in the stream that it, and those behind it, were sent
	// at; -1 if that can't be told.
	Origin int64
	// Got holds the first bytes that came.
	Got []byte
}

func (d *Difference) String() string {
	switch {
	case d.Offset < 0:
		return fmt.Sprintf("%d bytes before the stream came %x, which the prefix does not have there", -d.Offset, d.Got)
	case d.Origin < 0:
		return fmt.Sprintf("at byte %d came %x, which was not sent", d.Offset, d.Got)
	case d.Origin < d.Offset:
		return fmt.Sprintf("at byte %d came byte %d again", d.Offset, d.Origin)
	}
	return fmt.Sprintf("at byte %d came byte %d: %d bytes are missing or late", d.Offset, d.Origin, d.Origin-d.Offset)
}

// expected is what an end should receive.
type expected struct {
	prefix []byte
	Source
	size int64
}

// shown is how many bytes of a difference are kept; Locate needs as many.
const shown = 24

// compare returns the first difference of b, which was received after offset
// bytes, and nil if there is none.
func (e expected) compare(b []byte, offset int64) *Difference {
	if before := int64(len(e.prefix)) - offset; before > 0 {
		n := min(before, int64(len(b)))
		part := b[:n]
		if want := e.prefix[offset : offset+n]; !bytes.Equal(part, want) {
			i := 0
			for part[i] == want[i] {
				i++
			}
			return &Difference{Offset: int64(i) - before, Got: bytes.Clone(b[i:min(i+shown, len(b))])}
		}
		b, offset = b[n:], offset+n
	}
	offset -= int64(len(e.prefix))
	i := e.Differs(b, offset)
	if over := e.size - offset; i < 0 && int64(len(b)) > over {
		i = int(over) // more than was sent
	}
	if i < 0 {
		return nil
	}
	d := &Difference{Offset: offset + int64(i), Origin: -1, Got: bytes.Clone(b[i:min(i+shown, len(b))])}
	if origin, ok := e.Locate(d.Got, e.size); ok {
		d.Origin = origin
	}
	return d
}

// Judge tells whether each end received what the other one sent, ended in the same
// way. A connection that an end reset may lose bytes, but nothing else.
func (s *Script) Judge(client, server *Outcome) error {
	ends := [2]*Outcome{client, server}
	wrong := client.Wrong != nil || server.Wrong != nil
	var errs []error
	for from := range ends {
		if wrong && ends[1-from].Wrong == nil {
			continue // everything stops at a wrong byte
		}
		if err := s.judge(from, ends[from], ends[1-from]); err != nil {
			errs = append(errs, fmt.Errorf("%s to %s: %w", sideNames[from], sideNames[1-from], err))
		}
	}
	return errors.Join(errs...)
}

// judge looks at one direction.
func (s *Script) judge(from int, sender, receiver *Outcome) error {
	size, received := s.side(from).Size, receiver.Received
	if from == 0 {
		received -= int64(len(s.Prefix))
	}
	state := fmt.Sprintf("%d bytes of %d sent, %d received", sender.Sent, size, max(received, 0))
	switch {
	case receiver.Wrong != nil:
		return errors.New(receiver.Wrong.String() + "; " + state)
	case !receiver.Reset.IsZero():
		return nil // what the receiver lost it did not want
	case !sender.Reset.IsZero() && receiver.Saw == RST:
		return nil
	case !sender.Reset.IsZero():
		return fmt.Errorf("reset by the sender, but the receiver saw %v; %s%s", receiver.Saw, state, because(receiver.Err))
	case receiver.Saw != FIN || sender.Sent < size || received < size:
		return fmt.Errorf("%s, then %v%s", state, receiver.Saw, because(errors.Join(sender.Err, receiver.Err)))
	}
	return nil
}

func because(err error) string {
	if err == nil {
		return ""
	}
	return fmt.Sprintf(" (%v)", err)
}
