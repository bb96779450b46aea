package link

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"testing"
	"time"
)

// recorder is a device that keeps what it gets.
type recorder struct {
	io.Reader
	frames [][]byte
	err    error
}

func (r *recorder) Write(b []byte) (int, error) {
	r.frames = append(r.frames, bytes.Clone(b))
	return len(b), r.err
}

// numbered makes n frames that hold their numbers.
func numbered(n int) [][]byte {
	frames := make([][]byte, n)
	for i := range frames {
		frames[i] = binary.BigEndian.AppendUint32(make([]byte, 60), uint32(i))
	}
	return frames
}

// carry sends frames through a direction, and flies those that are delayed, without
// regard to time.
func carry(im Impairment, frames [][]byte) (*recorder, Stats) {
	out := new(recorder)
	d := newDirection(im, 0, nil, out)
	for _, f := range frames {
		d.stats.received.Add(1)
		d.accept(f)
	}
	for len(d.flying) > 0 {
		d.deliver(d.flying.take().frame)
	}
	return out, d.snapshot()
}

func TestDeterministic(t *testing.T) {
	frames := numbered(5000)
	im := Impairment{Loss: 0.1, Duplicate: 0.1, Reorder: 0.3, Delay: time.Hour, Seed: 5}
	first, stats := carry(im, frames)
	second, _ := carry(im, frames)
	if !slices.EqualFunc(first.frames, second.frames, bytes.Equal) {
		t.Error("the same seed gives different results")
	}
	im.Seed++
	if other, _ := carry(im, frames); slices.EqualFunc(first.frames, other.frames, bytes.Equal) {
		t.Error("another seed gives the same result")
	}
	if in, out := stats.Received+stats.Duplicated, stats.Delivered+stats.Lost; in != out {
		t.Errorf("%v: %d in, %d out", stats, in, out)
	}
	for name, n := range map[string]uint64{"lost": stats.Lost, "duplicated": stats.Duplicated} {
		if n < 350 || n > 700 {
			t.Errorf("%d of 5000 were %s, want some 500", n, name)
		}
	}
}

// TestOrder: what is delayed stays in order; what is not overtakes it.
func TestOrder(t *testing.T) {
	out, _ := carry(Impairment{Delay: time.Hour}, numbered(1000))
	if !slices.IsSortedFunc(out.frames, bytes.Compare) || len(out.frames) != 1000 {
		t.Error("a delay changes the order")
	}
	out, stats := carry(Impairment{Delay: time.Hour, Reorder: 0.25}, numbered(1000))
	early := int(stats.Reordered)
	if !slices.IsSortedFunc(out.frames[:early], bytes.Compare) || !slices.IsSortedFunc(out.frames[early:], bytes.Compare) || early < 200 || early > 300 {
		t.Errorf("%d of 1000 frames overtook the others, want some 250, in order", early)
	}
}

func TestQueue(t *testing.T) {
	_, stats := carry(Impairment{Delay: time.Hour, Queue: 100}, numbered(1000))
	if stats.Overflowed != 900 || stats.Delivered != 100 {
		t.Errorf("got %v", stats)
	}
}

func TestRefused(t *testing.T) {
	d := newDirection(Impairment{}, 0, nil, &recorder{err: io.ErrClosedPipe})
	d.accept(make([]byte, 60))
	if s := d.snapshot(); s.Refused != 1 || s.Delivered != 0 {
		t.Errorf("got %v", s)
	}
}

func TestAddressResolution(t *testing.T) {
	frame := func(etherType uint16, tagged bool, next byte) []byte {
		b := make([]byte, 12)
		if tagged {
			b = binary.BigEndian.AppendUint32(b, etherVLAN<<16|7)
		}
		b = binary.BigEndian.AppendUint16(b, etherType)
		return append(b, 0, 0, 0, 0, 0, 0, next, 0)
	}
	for _, test := range []struct {
		frame []byte
		want  bool
	}{
		{frame(etherARP, false, 0), true},
		{frame(etherARP, true, 0), true},
		{frame(etherIPv6, false, icmpv6), true},
		{frame(etherIPv6, true, icmpv6), true},
		{frame(etherIPv6, false, 6), false},
		{frame(0x0800, false, icmpv6), false},
		{frame(etherIPv6, false, icmpv6)[:15], false},
		{nil, false},
	} {
		if got := resolvesAddresses(test.frame); got != test.want {
			t.Errorf("%x: got %t", test.frame, got)
		}
	}
	out, _ := carry(Impairment{Loss: 1}, [][]byte{frame(etherARP, false, 0), frame(0x0800, false, 6)})
	if len(out.frames) != 1 {
		t.Errorf("got %d frames, want the one that asks for an address", len(out.frames))
	}
}
