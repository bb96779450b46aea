package corpus

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"

	"github.com/waggle-bpf/waggle/bpf"
	"github.com/waggle-bpf/waggle/bpf/bpftest"
	"github.com/waggle-bpf/waggle/bpf/cgroup"
	"github.com/waggle-bpf/waggle/bpf/tc"
	"github.com/waggle-bpf/waggle/bpf/xdp"
	"github.com/waggle-bpf/waggle/load"
)

// world is where programs run: in the kernel, loaded, or natively. A test gets one
// of the two and does the same in both.
type world struct {
	*testing.T
	h *load.Handle    // nil natively
	k *bpftest.Kernel // nil in the kernel
}

// native makes the world in which a package runs as Go.
func (e *entry) native(t *testing.T) *world {
	for _, c := range e.constants {
		t.Cleanup(c.set())
	}
	return &world{T: t, k: bpftest.New(t)}
}

// must stops the test at an error.
func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// equal compares what came out with what should have.
func (w *world) equal(what string, got, want any) {
	w.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		w.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// result is what a program made of a packet.
type result struct {
	verdict int32
	data    []byte // the packet afterwards; of programs that may change it
}

// run runs a program on a packet.
func run[C, V any](w *world, name string, prog func(*C) V, in bpftest.Input) result {
	w.Helper()
	if w.k != nil {
		return runNative(w, prog, in)
	}
	p, err := w.h.Program(name)
	w.must(err)
	opts := &ebpf.RunOptions{Data: in.Bytes(), DataOut: make([]byte, len(in.Bytes())+256)}
	ret, err := p.Run(opts)
	w.must(err)
	return result{int32(ret), opts.DataOut}
}

func runNative[C, V any](w *world, prog func(*C) V, in bpftest.Input) result {
	w.Helper()
	switch prog := any(prog).(type) {
	case func(*xdp.Context) xdp.Action:
		r := w.k.XDP(prog, in)
		return result{int32(r.Verdict), r.Data}
	case func(*tc.Context) tc.Action:
		r := w.k.TC(prog, in)
		return result{int32(r.Verdict), r.Data}
	case func(*cgroup.SkbContext) cgroup.Verdict:
		// The kernel takes off the Ethernet header that its caller gives.
		ip := in.(bpftest.Packet)
		ip.NoEthernet = true
		return result{int32(w.k.CgroupSkb(prog, ip).Verdict), in.Bytes()}
	}
	w.Fatalf("no way to run a %T natively", prog)
	return result{}
}

// verdict is the part of a result that V says.
func verdict[V ~int32](r result) V { return V(r.verdict) }

// passes runs a program that must leave the packet alone.
func passes[C any, V ~int32](w *world, name string, prog func(*C) V, in bpftest.Input, want V) {
	w.Helper()
	changes(w, name, prog, in, want, in)
}

// changes runs a program that must turn one packet into another.
func changes[C any, V ~int32](w *world, name string, prog func(*C) V, in bpftest.Input, want V, out bpftest.Input) {
	w.Helper()
	r := run(w, name, prog, in)
	if got := V(r.verdict); got != want {
		w.Errorf("%s: verdict %v, want %v", name, got, want)
	}
	if !bytes.Equal(r.data, out.Bytes()) {
		w.Errorf("%s: packet (-want +got):\n%s", name, cmp.Diff(dump(out.Bytes()), dump(r.data)))
	}
}

// dump makes lines of 16 bytes.
func dump(b []byte) (lines []string) {
	for i := 0; i < len(b); i += 16 {
		lines = append(lines, fmt.Sprintf("%04x % x", i, b[i:min(i+16, len(b))]))
	}
	return lines
}

// table is a map of package bpf with keys.
type table[K comparable, V any] interface{ Lookup(K) *V }

// get reads an entry of a map.
func get[K comparable, V any](w *world, name string, m table[K, V], key K) (V, bool) {
	w.Helper()
	var zero V
	if w.k != nil {
		v := m.Lookup(key)
		if v == nil {
			return zero, false
		}
		return *v, true
	}
	km, err := load.MapOf[K, V](w.h, name)
	w.must(err)
	v, err := km.Get(key)
	if errors.Is(err, load.ErrNoKey) {
		return zero, false
	}
	w.must(err)
	return v, true
}

// at reads an entry that must be there.
func at[K comparable, V any](w *world, name string, m table[K, V], key K) V {
	w.Helper()
	v, ok := get(w, name, m, key)
	if !ok {
		w.Errorf("%s: no entry %v", name, key)
	}
	return v
}

// put writes an entry of a map.
func put[K comparable, V any](w *world, name string, m interface {
	Update(K, V, bpf.UpdateFlag) bpf.Errno
}, key K, value V) {
	w.Helper()
	if w.k != nil {
		if err := m.Update(key, value, bpf.Any); err != bpf.OK {
			w.Fatalf("%s: %v", name, err)
		}
		return
	}
	km, err := load.MapOf[K, V](w.h, name)
	w.must(err)
	w.must(km.Put(key, value))
}

// putAt writes an element of an array.
func putAt[V any](w *world, name string, m *bpf.Array[V], index uint32, value V) {
	w.Helper()
	if w.k != nil {
		m.Update(index, value)
		return
	}
	km, err := load.MapOf[uint32, V](w.h, name)
	w.must(err)
	w.must(km.Put(index, value))
}

// total adds up an element of a per-CPU array.
func total[V any, N load.Number](w *world, name string, m *bpf.PerCPUArray[V], index uint32, field func(V) N) (sum N) {
	w.Helper()
	var all []V
	if w.k != nil {
		all = bpftest.PerCPUAt(w.k, m, index)
	} else {
		km, err := load.PerCPUMapOf[uint32, V](w.h, name)
		w.must(err)
		all, err = km.Get(index)
		w.must(err)
	}
	for _, v := range all {
		sum += field(v)
	}
	return sum
}

// itself is for total of plain numbers.
func itself[N load.Number](n N) N { return n }

// value reads a variable.
func value[T any](w *world, name string, p *T) T {
	w.Helper()
	if w.k != nil {
		return *p
	}
	v, err := load.VariableOf[T](w.h, name)
	w.must(err)
	x, err := v.Get()
	w.must(err)
	return x
}

// setValue writes a variable.
func setValue[T any](w *world, name string, p *T, x T) {
	w.Helper()
	if w.k != nil {
		old := *p
		*p = x
		w.Cleanup(func() { *p = old })
		return
	}
	v, err := load.VariableOf[T](w.h, name)
	w.must(err)
	w.must(v.Set(x))
}

// zero makes a counter zero at the start of a native test: it outlives the test
// before. In the kernel it is zero.
func zero[T any](w *world, p *T) {
	if w.k != nil {
		var x T
		*p = x
	}
}

// sink receives the events of a buffer.
type sink[T any] struct {
	w      *world
	native func() []bpftest.Sample[T]
	events chan bpftest.Sample[T]
}

// ring opens a ring buffer.
func ring[T any](w *world, name string, m *bpf.RingBuf[T]) *sink[T] {
	w.Helper()
	s := &sink[T]{w: w}
	if w.k != nil {
		s.native = func() (out []bpftest.Sample[T]) {
			for _, e := range bpftest.Events(w.k, m) {
				out = append(out, bpftest.Sample[T]{Value: e})
			}
			return out
		}
		return s
	}
	s.read(name)
	return s
}

// perf opens a perf buffer; before the events come.
func perf[T any](w *world, name string, m *bpf.PerfEventArray[T]) *sink[T] {
	w.Helper()
	s := &sink[T]{w: w}
	if w.k != nil {
		s.native = func() []bpftest.Sample[T] { return bpftest.Samples(w.k, m) }
		return s
	}
	s.read(name)
	return s
}

// read forwards the kernel's events to a channel.
func (s *sink[T]) read(name string) {
	s.w.Helper()
	stream, err := load.Events[T](s.w.h, name, load.StreamOptions{FlushInterval: 5 * time.Millisecond, Watermark: 1})
	s.w.must(err)
	s.events = make(chan bpftest.Sample[T], 1<<16)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for e, payload := range stream.WithPayload(s.w.Context()) {
			select {
			case s.events <- bpftest.Sample[T]{Value: *e, Packet: bytes.Clone(payload)}:
			default: // nobody wants that many
			}
		}
	}()
	s.w.Cleanup(func() {
		s.w.must(stream.Close())
		<-done
		s.w.must(stream.Err())
	})
}

// patience is how long an event may take.
const patience = 5 * time.Second

// samples returns the next n events.
func (s *sink[T]) samples(n int) (out []bpftest.Sample[T]) {
	s.w.Helper()
	if s.native != nil {
		out = s.native()
	}
	timeout := time.After(patience)
	for s.native == nil && len(out) < n {
		select {
		case e := <-s.events:
			out = append(out, e)
		case <-timeout:
			s.w.Fatalf("%d events came, want %d", len(out), n)
		}
	}
	if len(out) != n {
		s.w.Fatalf("%d events came, want %d", len(out), n)
	}
	return out
}

// next returns the next n events without what is behind them.
func (s *sink[T]) next(n int) (out []T) {
	s.w.Helper()
	for _, e := range s.samples(n) {
		out = append(out, e.Value)
	}
	return out
}

// find waits for an event that fits.
func (s *sink[T]) find(what string, fits func(*T) bool) T {
	s.w.Helper()
	timeout := time.After(patience)
	for {
		select {
		case e := <-s.events:
			if fits(&e.Value) {
				return e.Value
			}
		case <-timeout:
			s.w.Fatalf("no event: %s", what)
		}
	}
}

// eventually waits until a condition holds.
func (w *world) eventually(what string, holds func() bool) {
	w.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.Fatalf("did not happen: %s", what)
		}
	}
}
