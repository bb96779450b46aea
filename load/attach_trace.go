package load

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/waggle-bpf/waggle/load/internal/sys"
)

// word is the first word of the program's section: "kretprobe".
func (s *site) word() string {
	word, _, _ := strings.Cut(kindOf(s.spec), "/")
	return word
}

func attachTracepoint(s *site) ([]*Link, error) {
	name := firstOf(s.target.Tracepoint, s.spec.AttachTo)
	group, event, ok := strings.Cut(name, "/")
	if !ok || group == "" || event == "" {
		return nil, fmt.Errorf("no tracepoint named: want GROUP/NAME, have %q", name)
	}
	l, err := link.Tracepoint(group, event, s.prog, &link.TracepointOptions{Cookie: s.target.Cookie})
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, &UnsupportedError{Feature: "tracepoint " + name, Err: err}
	case refusedByEvent.MatchString(fmt.Sprint(err)):
		return nil, fmt.Errorf("to tracepoint %s: the program reads its context beyond the event's fields%s", name, fieldsOf(name))
	case err != nil && !hasTraceFS():
		return nil, &UnsupportedError{Feature: "tracefs mounted (mount -t tracefs tracefs /sys/kernel/tracing)", Err: err}
	}
	return s.single("tracepoint "+name, l, err)
}

// refusedByEvent is how cilium/ebpf words the answer EACCES of perf_event_set_bpf_prog
// (kernel/events/core.c), which it doesn't always wrap, with and without a link.
var refusedByEvent = regexp.MustCompile(`(bpf perf link|perf event bpf program): ` + syscall.EACCES.Error() + `$`)

// hasTraceFS tells whether the file system that numbers tracepoints is mounted.
func hasTraceFS() bool { return traceFS() != "" }

// traceFS is where tracefs is mounted, of the places where cilium/ebpf looks for it;
// empty if it isn't.
func traceFS() string {
	for _, dir := range []string{"/sys/kernel/tracing", "/sys/kernel/debug/tracing"} {
		if _, err := os.Stat(dir + "/events"); err == nil {
			return dir
		}
	}
	return ""
}

// eventField is a line of a tracepoint's format file.
var eventField = regexp.MustCompile(`(?m)^\s*field:.*\boffset:(\d+);\s*size:(\d+);`)

// fieldsOf says where the fields of a tracepoint end, and where they are listed; empty
// if nobody tells.
func fieldsOf(tracepoint string) string {
	path := traceFS() + "/events/" + tracepoint + "/format"
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	end := 0
	for _, m := range eventField.FindAllStringSubmatch(string(text), -1) {
		offset, _ := strconv.Atoi(m[1])
		size, _ := strconv.Atoi(m[2])
		end = max(end, offset+size)
	}
	return fmt.Sprintf(", which end at byte %d (%s)", end, path)
}

func attachRawTracepoint(s *site) ([]*Link, error) {
	name := firstOf(s.target.Tracepoint, s.spec.AttachTo)
	if name == "" {
		return nil, errors.New("no tracepoint named")
	}
	l, err := link.AttachRawTracepoint(link.RawTracepointOptions{Name: name, Program: s.prog})
	if errors.Is(err, os.ErrNotExist) {
		return nil, &UnsupportedError{Feature: "raw tracepoint " + name, Err: err}
	}
	return s.single("raw tracepoint "+name, l, err)
}

// attachTracing is for what was bound to its target when it was loaded.
func attachTracing(s *site) ([]*Link, error) {
	l, err := link.AttachTracing(link.TracingOptions{Program: s.prog, AttachType: s.spec.AttachType, Cookie: s.target.Cookie})
	return s.single(s.word()+" "+s.spec.AttachTo, l, err)
}

func attachLSM(s *site) ([]*Link, error) {
	l, err := link.AttachLSM(link.LSMOptions{Program: s.prog, Cookie: s.target.Cookie})
	return s.single("lsm hook "+s.spec.AttachTo, l, err)
}

func attachIter(s *site) ([]*Link, error) {
	opts := link.IterOptions{Program: s.prog}
	if s.target.Map != "" {
		m, err := s.handle.Map(s.target.Map)
		if err != nil {
			return nil, err
		}
		opts.Map = m
	}
	l, err := link.AttachIter(opts)
	return s.single("iterator "+s.spec.AttachTo, l, err)
}

func attachKprobe(s *site) ([]*Link, error) {
	symbol, offset, err := s.kernelSymbol()
	if err != nil {
		return nil, err
	}
	opts := &link.KprobeOptions{Cookie: s.target.Cookie, Offset: offset}
	attach := link.Kprobe
	switch s.word() {
	case "kretprobe", "kretsyscall":
		attach = link.Kretprobe
	}
	if strings.HasSuffix(s.word(), "syscall") {
		symbol = "sys_" + symbol // cilium/ebpf adds the architecture's prefix
	}
	l, err := attach(symbol, s.prog, opts)
	if err != nil && !hasKprobes() {
		return nil, &UnsupportedError{Feature: "kprobes (it is built without CONFIG_KPROBE_EVENTS)", Err: err}
	}
	return s.single(s.word()+" "+symbol, l, err)
}

// hasKprobes looks for the event source that all kprobes of package link need.
func hasKprobes() bool {
	_, err := os.Stat("/sys/bus/event_source/devices/kprobe")
	return !errors.Is(err, os.ErrNotExist)
}

func (s *site) kernelSymbol() (symbol string, offset uint64, err error) {
	if s.target.Symbol != "" {
		return s.target.Symbol, s.target.Offset, nil
	}
	symbol, offset, err = splitOffset(s.spec.AttachTo)
	if err == nil && symbol == "" {
		err = errors.New("no kernel function named")
	}
	return symbol, offset, err
}

// splitOffset takes "symbol+0x10" apart.
func splitOffset(name string) (symbol string, offset uint64, err error) {
	symbol, text, found := strings.Cut(name, "+")
	if !found {
		return symbol, 0, nil
	}
	offset, err = strconv.ParseUint(text, 0, 64)
	if err != nil {
		return "", 0, fmt.Errorf("parse offset in %q: %w", name, err)
	}
	return symbol, offset, nil
}

func attachKprobeMulti(s *site) ([]*Link, error) {
	symbols := strings.FieldsFunc(firstOf(s.target.Symbol, s.spec.AttachTo), func(r rune) bool { return r == ',' })
	if len(symbols) == 0 {
		return nil, errors.New("no kernel functions named")
	}
	for _, symbol := range symbols {
		if strings.ContainsAny(symbol, "*?") {
			return nil, fmt.Errorf("function pattern %q is not supported: name the functions in the target, separated by commas", symbol)
		}
	}
	opts := link.KprobeMultiOptions{Symbols: symbols, Session: s.word() == "kprobe.session"}
	attach := link.KprobeMulti
	if s.word() == "kretprobe.multi" {
		attach = link.KretprobeMulti
	}
	l, err := attach(s.prog, opts)
	return s.single(s.word()+" "+strings.Join(symbols, ","), l, err)
}

func attachUprobe(s *site) ([]*Link, error) {
	at, err := s.userSymbol()
	if err != nil {
		return nil, err
	}
	opts := &link.UprobeOptions{Offset: at.offset, PID: s.target.PID, Cookie: s.target.Cookie}
	if at.symbol == "" {
		opts.Address, opts.Offset = at.offset, 0
	}
	attach := at.file.Uprobe
	if strings.HasPrefix(s.word(), "uretprobe") {
		attach = at.file.Uretprobe
	}
	l, err := attach(at.symbol, s.prog, opts)
	return s.single(s.word()+" "+at.String(), l, err)
}

func attachUprobeMulti(s *site) ([]*Link, error) {
	at, err := s.userSymbol()
	if err != nil {
		return nil, err
	}
	if at.symbol == "" || at.offset != 0 {
		return nil, errors.New("no function named")
	}
	opts := &link.UprobeMultiOptions{PID: uint32(s.target.PID)}
	if s.target.Cookie != 0 {
		opts.Cookies = []uint64{s.target.Cookie}
	}
	attach := at.file.UprobeMulti
	if strings.HasPrefix(s.word(), "uretprobe") {
		attach = at.file.UretprobeMulti
	}
	l, err := attach([]string{at.symbol}, s.prog, opts)
	return s.single(s.word()+" "+at.String(), l, err)
}

// userSite is a place in an executable.
type userSite struct {
	file   *link.Executable
	path   string
	symbol string
	offset uint64
}

func (u *userSite) String() string {
	switch {
	case u.symbol == "":
		return fmt.Sprintf("%s:%#x", u.path, u.offset)
	case u.offset != 0:
		return fmt.Sprintf("%s:%s+%#x", u.path, u.symbol, u.offset)
	}
	return u.path + ":" + u.symbol
}

// userSymbol finds the executable and function of a uprobe: what the target
// names, else what the section does ("libc.so.6:getaddrinfo+0x10").
func (s *site) userSymbol() (*userSite, error) {
	u := &userSite{path: s.target.Executable, symbol: s.target.Symbol, offset: s.target.Offset}
	if i := strings.LastIndex(s.spec.AttachTo, ":"); i >= 0 {
		if u.path == "" {
			u.path = s.spec.AttachTo[:i]
		}
		if u.symbol == "" && u.offset == 0 {
			var err error
			if u.symbol, u.offset, err = splitOffset(s.spec.AttachTo[i+1:]); err != nil {
				return nil, err
			}
		}
	}
	if u.path == "" {
		return nil, errors.New("no executable named")
	}
	if u.symbol == "" && u.offset == 0 {
		return nil, errors.New("no function named")
	}
	path, err := findExecutable(u.path)
	if err != nil {
		return nil, err
	}
	u.path = path
	u.file, err = link.OpenExecutable(path)
	return u, err
}

func firstOf(names ...string) string {
	for _, n := range names {
		if n != "" {
			return n
		}
	}
	return ""
}

// attachPerfEvent opens the event on every CPU: the kernel counts per CPU.
func attachPerfEvent(s *site) ([]*Link, error) {
	e := s.target.Event
	if e == nil {
		return nil, errors.New("no event named")
	}
	if e.Period == 0 && e.Frequency == 0 {
		return nil, errors.New("the event has neither period nor frequency")
	}
	cpus, err := sys.OnlineCPUs()
	if err != nil {
		return nil, err
	}
	return each(cpus, func(cpu int) (*Link, error) {
		event, err := sys.OpenPerfEvent(sys.PerfEvent{
			Type: e.Type, Config: e.Config, Period: e.Period, Frequency: e.Frequency, PID: e.PID, CPU: cpu,
		})
		if err != nil {
			return nil, fmt.Errorf("open event on CPU %d: %w", cpu, err)
		}
		l, err := link.AttachRawLink(link.RawLinkOptions{Target: event.FD(), Program: s.prog, Attach: ebpf.AttachPerfEvent})
		if err != nil {
			return nil, errors.Join(fmt.Errorf("to event on CPU %d: %w", cpu, err), event.Close())
		}
		return s.link(fmt.Sprintf("perf event on CPU %d", cpu), perfAttachment{l, event}), nil
	})
}

// perfAttachment is a link to an event of our own.
type perfAttachment struct {
	*link.RawLink
	event *sys.Event
}

func (a perfAttachment) Close() error { return errors.Join(a.RawLink.Close(), a.event.Close()) }

// Update says what the kernel would say with EINVAL.
func (a perfAttachment) Update(*ebpf.Program) error {
	return fmt.Errorf("perf events: %w", ErrNotSupported)
}
