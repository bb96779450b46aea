package cli

import (
	"bufio"
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"

	"github.com/waggle-bpf/waggle/internal/cli/btftext"
	"github.com/waggle-bpf/waggle/load"
)

// eventPrinter prints the events of all buffers of an object.
type eventPrinter struct {
	e       *env
	cmd     *loadCmd
	types   *btf.Spec // the object's; nil if it has none
	named   btf.Type  // what --type says; nil if nothing
	streams []*eventStream
	readers sync.WaitGroup
	ended   context.Context // done when the programs are detached
	end     context.CancelFunc

	mu  sync.Mutex
	out *bufio.Writer
	err error // the first one of reading or printing
}

// eventStream is one buffer.
type eventStream struct {
	*load.Stream[load.Record]
	name string
	typ  btf.Type // of its records, as the object says; nil if it doesn't
	// slack is how many bytes may follow a record.
	slack   int
	guesses map[int]btf.Type // by size of the record
}

// perfPadding is what the kernel adds to records of perf buffers at most.
const perfPadding = 7

func newEventPrinter(e *env, h *load.Handle, cmd *loadCmd) (*eventPrinter, error) {
	p := &eventPrinter{e: e, cmd: cmd, out: bufio.NewWriterSize(e.stdout, 64<<10), types: h.Object().Spec().Types}
	p.ended, p.end = context.WithCancel(context.Background())
	if cmd.Type != "" {
		t, err := btftext.Find(p.types, cmd.Type)
		if err != nil {
			return nil, badInput(err)
		}
		p.named = t
	}
	for _, m := range h.Object().Maps() {
		s := &eventStream{name: m.Name, typ: btftext.Record(p.types, m.Name), guesses: make(map[int]btf.Type)}
		switch m.Type {
		case ebpf.RingBuf:
			if s.typ == nil {
				s.typ = m.Value // some C objects declare one, just for tools
			}
		case ebpf.PerfEventArray:
			s.slack = perfPadding
		default:
			continue
		}
		stream, err := load.RawEvents(h, m.Name, load.StreamOptions{})
		if err != nil {
			return nil, errors.Join(err, p.close())
		}
		s.Stream = stream
		p.streams = append(p.streams, s)
	}
	return p, nil
}

// flushInterval is how long printed events may wait for company.
const flushInterval = 50 * time.Millisecond

// run prints events until the context ends, or reading or printing fails.
func (p *eventPrinter) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, s := range p.streams {
		p.readers.Go(func() {
			// Not ctx ends this: programs run until they are detached. And not Close,
			// which would come too early for a reader that has not begun.
			for r := range s.All(p.ended) {
				if err := p.print(s, r); err != nil {
					cancel() // but what comes until the end is counted
				}
			}
			if err := s.Err(); err != nil {
				p.fail(err)
				cancel()
			}
		})
	}
	flush := time.NewTicker(flushInterval)
	defer flush.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-flush.C:
			if err := p.flush(); err != nil {
				return
			}
		}
	}
}

// fail remembers the first error.
func (p *eventPrinter) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = cmp.Or(p.err, err)
}

func (p *eventPrinter) flush() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.printed(p.out.Flush())
}

// printed is an error of writing, remembered if it is the first; with p.mu held.
func (p *eventPrinter) printed(err error) error {
	if err != nil {
		err = fmt.Errorf("print events: %w", err)
		p.err = cmp.Or(p.err, err)
	}
	return err
}

// print writes one event.
func (p *eventPrinter) print(s *eventStream, r *load.Record) error {
	t := p.typeOf(s, len(r.Data))
	p.mu.Lock()
	defer p.mu.Unlock()
	var err error
	switch {
	case p.cmd.JSON:
		err = p.printJSON(s, r, t)
	case t == nil || p.cmd.Hex:
		_, err = fmt.Fprintf(p.out, "%s: %d bytes\n%s", s.name, len(r.Data), hex.Dump(r.Data))
	default:
		_, err = fmt.Fprintf(p.out, "%s: %s\n", s.name, btftext.Text(btftext.Decode(t, r.Data)))
	}
	return p.printed(err)
}

func (p *eventPrinter) printJSON(s *eventStream, r *load.Record, t btf.Type) error {
	event := struct {
		Map  string `json:"map"`
		CPU  *int   `json:"cpu,omitempty"`
		Data any    `json:"data"`
	}{Map: s.name, Data: btftext.Bytes(r.Data)}
	if t != nil {
		event.Data = btftext.Decode(t, r.Data)
	}
	if r.CPU >= 0 {
		event.CPU = &r.CPU
	}
	line, err := json.Marshal(event)
	if err != nil {
		return err
	}
	_, err = p.out.Write(append(line, '\n'))
	return err
}

// typeOf is the type of a record of n bytes: what the user says, what the object
// says, or what its types suggest.
func (p *eventPrinter) typeOf(s *eventStream, n int) btf.Type {
	if p.named != nil {
		return p.named
	}
	if s.typ != nil {
		return s.typ
	}
	t, known := s.guesses[n]
	if !known {
		t = btftext.Guess(p.types, n, s.slack)
		s.guesses[n] = t
	}
	return t
}

// drain prints what is still in the buffers; the programs are detached.
func (p *eventPrinter) drain() {
	p.end()
	p.readers.Wait()
}

// summary tells what became of the events, even of those that could not be printed.
func (p *eventPrinter) summary() error {
	_ = p.flush() // p.err says it
	errs := []error{p.err}
	for _, s := range p.streams {
		stats, err := s.Stats()
		errs = append(errs, err)
		if err == nil {
			fmt.Fprintf(p.e.stderr, "%s: %d events, %d lost\n", s.name, stats.Received, stats.Lost())
		}
	}
	return errors.Join(errs...)
}

// close frees the buffers, whatever happened before.
func (p *eventPrinter) close() error {
	p.drain()
	var errs []error
	for _, s := range p.streams {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}
