package load

import (
	"errors"
	"os"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/perf"
)

// perfBuffer reads the buffers of a perf event array.
type perfBuffer struct {
	reader   *perf.Reader
	record   perf.Record
	flush    time.Duration
	stopping atomic.Bool
	lostSum  atomic.Uint64
	lostNow  uint64 // not yet told to anybody
}

func openPerf(m *ebpf.Map, opts StreamOptions) (*perfBuffer, error) {
	page := os.Getpagesize()
	size := (opts.PerCPUBuffer + page - 1) / page * page
	reader, err := perf.NewReaderWithOptions(m, size, perf.ReaderOptions{Watermark: min(opts.Watermark, size-1)})
	if err != nil {
		return nil, err
	}
	b := &perfBuffer{reader: reader, flush: opts.FlushInterval}
	reader.SetDeadline(time.Now().Add(b.flush))
	return b, nil
}

func (b *perfBuffer) next(rec *Record) error {
	for {
		err := b.reader.ReadInto(&b.record)
		switch {
		case err == nil && b.record.LostSamples > 0:
			b.lostNow += b.record.LostSamples
			b.lostSum.Add(b.record.LostSamples)
		case err == nil: // first: looking into errors costs more than a record
			*rec = Record{Data: b.record.RawSample, CPU: b.record.CPU, Lost: b.lostNow}
			b.lostNow = 0
			return nil
		case errors.Is(err, os.ErrDeadlineExceeded):
			// Everything there was when the time was up has been read, watermark or
			// not. Only a flush tells that nothing has come since: when the reader
			// is to stop, one is on its way.
			b.reader.SetDeadline(time.Now().Add(b.flush))
		case errors.Is(err, perf.ErrFlushed):
			if b.stopping.Load() {
				return errDrained
			}
		case !perf.IsUnknownEvent(err):
			return err
		}
		// Other events than those of bpf_perf_event_output are passed over.
	}
}

func (b *perfBuffer) stop() {
	b.stopping.Store(true)
	// Fails only on a closed reader, which has stopped.
	_ = b.reader.Flush()
}

func (b *perfBuffer) lost() uint64 { return b.lostSum.Load() }

// pending reads what is left, since the buffers themselves do not say.
func (b *perfBuffer) pending() uint64 {
	b.stop()
	var n uint64
	for rec := new(Record); b.next(rec) == nil; {
		n++
	}
	return n
}

func (b *perfBuffer) close() error { return b.reader.Close() }
