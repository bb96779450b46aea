package httpwatch

import "io"

// Sink takes the requests, one at a time.
type Sink interface {
	// Request takes a request. It must not keep it.
	Request(*Request) error
	// Flush is called when there is nothing more to do for the moment.
	Flush() error
}

// NewTextSink returns a sink that writes a line for each request,
//
//	CLIENT_IP - METHOD TARGET HTTP/1.1
//
// Whatever could confuse a reader or a terminal is written as in a Go string:
// control characters and other unprintable ones, bytes that are not UTF-8,
// blanks inside the target, backslashes.
func NewTextSink(w io.Writer) Sink { return &lineSink{w: w, format: appendText} }

// NewJSONSink returns a sink that writes a JSON object in a line for each request,
// with time, src, src_port, dst, dst_port, method, path (the whole target), host
// and proto. Bytes that are not UTF-8 are percent-encoded.
func NewJSONSink(w io.Writer) Sink { return &lineSink{w: w, format: appendJSON} }

// lineSink gathers lines and writes them in large pieces, never part of one.
type lineSink struct {
	w      io.Writer
	format func([]byte, *Request) []byte
	buf    []byte
}

const sinkBuffer = 64 << 10

func (s *lineSink) Request(r *Request) error {
	s.buf = append(s.format(s.buf, r), '\n')
	if len(s.buf) < sinkBuffer {
		return nil
	}
	return s.Flush()
}

func (s *lineSink) Flush() error {
	if len(s.buf) == 0 {
		return nil
	}
	_, err := s.w.Write(s.buf)
	s.buf = s.buf[:0]
	return err
}

func appendText(b []byte, r *Request) []byte {
	b = r.Src.Addr().AppendTo(b)
	b = append(b, " - "...)
	b = appendVisible(b, r.Method)
	b = append(b, ' ')
	b = appendVisible(b, r.Target)
	b = append(b, ' ')
	return append(b, r.Proto...)
}

// timeFormat is RFC 3339 with all nanoseconds, so that times sort as text.
const timeFormat = "2006-01-02T15:04:05.000000000Z07:00"

func appendJSON(b []byte, r *Request) []byte {
	b = append(b, `{"time":"`...)
	b = r.Time.UTC().AppendFormat(b, timeFormat)
	b = append(b, `","src":"`...)
	b = r.Src.Addr().AppendTo(b)
	b = append(b, `","src_port":`...)
	b = appendUint(b, r.Src.Port())
	b = append(b, `,"dst":"`...)
	b = r.Dst.Addr().AppendTo(b)
	b = append(b, `","dst_port":`...)
	b = appendUint(b, r.Dst.Port())
	b = append(b, `,"method":`...)
	b = appendQuoted(b, r.Method)
	b = append(b, `,"path":`...)
	b = appendQuoted(b, r.Target)
	b = append(b, `,"host":`...)
	b = appendQuoted(b, r.Host)
	b = append(b, `,"proto":"`...)
	b = append(b, r.Proto...)
	return append(b, `"}`...)
}
