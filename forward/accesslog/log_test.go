package accesslog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func open(t testing.TB, c Config) *Log {
	t.Helper()
	l, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func closeLog(t *testing.T, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func numbered(i int) *Record { return &Record{Start: start, Name: fmt.Sprint("n", i)} }

// account returns the names in a log, in order, and the number of lines it says are
// missing.
func account(t *testing.T, log string) (names []string, lost int) {
	t.Helper()
	for line := range strings.Lines(log) {
		pairs := logfmt(t, line)
		if n, ok := pairs["lost"]; ok {
			var more int
			if _, err := fmt.Sscan(n, &more); err != nil {
				t.Fatal(err)
			}
			lost += more
			continue
		}
		if len(pairs) != 5 {
			t.Fatalf("line %q", line)
		}
		names = append(names, pairs["name"])
	}
	return names, lost
}

// TestEveryLine: many goroutines write, and every line arrives whole.
func TestEveryLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l := open(t, Config{Path: path})
	const writers, each = 8, 200 // fits the buffers, so that none is lost
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				l.Write(numbered(w*each + i))
			}
		})
	}
	wg.Wait()
	closeLog(t, l)
	l.Write(numbered(0)) // too late
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	names, lost := account(t, string(data))
	seen := make(map[string]bool)
	for _, n := range names {
		seen[n] = true
	}
	if len(seen) != writers*each || len(names) != len(seen) || lost != 0 {
		t.Errorf("%d lines, %d different, lost %d", len(names), len(seen), lost)
	}
	if l.Lost() != 1 {
		t.Errorf("%d lost after the end", l.Lost())
	}
}

// stuck is a writer that takes nothing until it is let go.
type stuck struct {
	bytes.Buffer
	gate chan struct{}
}

func (s *stuck) Write(b []byte) (int, error) {
	<-s.gate
	return s.Buffer.Write(b)
}

// TestLoss: when the file is slow, the buffers fill, lines are lost, and the log says
// how many.
func TestLoss(t *testing.T) {
	out := &stuck{gate: make(chan struct{})}
	l := open(t, Config{Output: out})
	const n = 30000
	for i := range n {
		l.Write(numbered(i))
	}
	if l.Lost() == 0 {
		t.Fatal("nothing is lost")
	}
	close(out.gate)
	closeLog(t, l)
	names, lost := account(t, out.String())
	if len(names)+lost != n || uint64(lost) != l.Lost() {
		t.Errorf("%d lines and %d lost are not %d; Lost says %d", len(names), lost, n, l.Lost())
	}
	for i, name := range names {
		if name != fmt.Sprint("n", i) {
			t.Fatalf("line %d is %s", i, name)
		}
	}
	if max := chunks * chunkSize; out.Len() > max+1000 {
		t.Errorf("%d bytes were buffered, more than %d", out.Len(), max)
	}
}

// TestStuckForever: Close gives up, and says so.
func TestStuckForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &stuck{gate: make(chan struct{})}
		l := open(t, Config{Output: out})
		l.Write(numbered(1))
		if err := l.Close(); err == nil || err.Error() != "close access log: it takes nothing since 2s" {
			t.Errorf("got %v", err)
		}
		close(out.gate)
	})
}

// TestFlush: a single line doesn't wait for others.
func TestFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		l := open(t, Config{Output: w})
		began := time.Now()
		for i := range 3 {
			l.Write(numbered(i))
			if _, err := r.Read(make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took != 3*flushAfter {
			t.Errorf("three lines took %v", took)
		}
		closeLog(t, l)
	})
}

// flaky is a file on a disk that is full now and then.
type flaky struct {
	bytes.Buffer
	room int // bytes until it is full; negative for any number
}

var errFull = errors.New("no space left on device")

func (f *flaky) Write(b []byte) (int, error) {
	if f.room < 0 || len(b) <= f.room {
		f.room = max(f.room-len(b), min(f.room, 0))
		return f.Buffer.Write(b)
	}
	n, _ := f.Buffer.Write(b[:f.room])
	f.room = 0
	return n, errFull
}

func TestWriteErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		out := &flaky{room: 250} // three lines fit, and part of the fourth
		l := open(t, Config{Output: out, OnError: func(err error) { told = append(told, err.Error()) }})
		write := func(from, to int) {
			for i := from; i < to; i++ {
				l.Write(numbered(i))
			}
			time.Sleep(2 * flushAfter)
			synctest.Wait()
		}
		write(0, 5)
		write(5, 7)
		if l.Lost() != 4 || len(told) != 1 || told[0] != "write access log: no space left on device" {
			t.Errorf("lost %d, told %q", l.Lost(), told)
		}
		out.room = -1
		write(7, 9)
		closeLog(t, l)
		text := out.String()
		severed := strings.LastIndexByte(text[:250], '\n') + 1
		if text[250] != '\n' {
			t.Fatalf("a severed line has no end: %s", text)
		}
		names, lost := account(t, text[:severed]+text[251:])
		if got := strings.Join(names, " "); got != "n0 n1 n2 n7 n8" || lost != 4 {
			t.Errorf("lines %s, lost %d\n%s", got, lost, text)
		}
	})
}

// TestReopen: rotating a log loses nothing, and when it can't be opened, nothing changes.
func TestReopen(t *testing.T) {
	dir := t.TempDir()
	path, old := filepath.Join(dir, "log"), filepath.Join(dir, "log.1")
	l := open(t, Config{Path: path})
	n := 0
	write := func() {
		for range 1000 {
			l.Write(numbered(n))
			n++
		}
	}
	write()
	if err := os.Rename(path, old); err != nil {
		t.Fatal(err)
	}
	write()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err == nil || !strings.HasPrefix(err.Error(), "open access log: ") {
		t.Errorf("opened a directory: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	write()
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	write()
	closeLog(t, l)
	closeLog(t, l) // is nothing, and neither is
	if err := l.Reopen(); err != nil {
		t.Error(err)
	}
	var log string
	for _, p := range []string{old, path} {
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		log += string(data)
	}
	names, lost := account(t, log)
	if len(names) != n || lost != 0 || names[n-1] != fmt.Sprint("n", n-1) {
		t.Errorf("%d lines of %d, lost %d", len(names), n, lost)
	}
	if st, err := os.Stat(path); err != nil || st.Size() == 0 {
		t.Errorf("nothing in the new file: %v", err)
	}
}

func TestOpenErrors(t *testing.T) {
	if _, err := Open(Config{Path: filepath.Join(t.TempDir(), "no", "log")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if _, err := Open(Config{}); err == nil {
		t.Error("opened nothing")
	}
}

// TestNil: no log is a log to which nothing happens.
func TestNil(t *testing.T) {
	var l *Log
	l.Write(&full)
	if err := errors.Join(l.Reopen(), l.Close()); err != nil || l.Lost() != 0 {
		t.Errorf("%v, lost %d", err, l.Lost())
	}
}

func TestAllocations(t *testing.T) {
	for f := range formats {
		l := open(t, Config{Output: io.Discard, Format: Format(f)})
		// The pool may be emptied by a garbage collection in between.
		if n := testing.AllocsPerRun(1000, func() { l.Write(&full) }); n > 0.1 {
			t.Errorf("%v: %v allocations a record", Format(f), n)
		}
		closeLog(t, l)
	}
}

func BenchmarkWrite(b *testing.B) {
	for f := range formats {
		b.Run(Format(f).String(), func(b *testing.B) {
			l := open(b, Config{Output: io.Discard, Format: Format(f)})
			defer l.Close()
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := 1; pb.Next(); i++ {
					l.Write(&full)
					// No forwarder has so many connections: let the writer keep up.
					for i%256 == 0 && len(l.full) > chunks/2 {
						runtime.Gosched()
					}
				}
			})
			if l.Lost() > 0 {
				b.Errorf("%d of %d lost", l.Lost(), b.N)
			}
		})
	}
}
