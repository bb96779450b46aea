package sockets

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/waggle-bpf/waggle/idle/watch"
	"github.com/waggle-bpf/waggle/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestParse(t *testing.T) {
	for _, test := range []struct {
		line, want string
	}{
		{"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode", ""},
		{"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 ffff 100 0 0 10 0", "127.0.0.1:8080 0.0.0.0:0 10"},
		{"  17: 0100007F:0016 0200000A:C001 01 00000000:00000000 02:000A7214 00000000     0        0 1 2 ffff 20 4 1 10 -1", "127.0.0.1:22 10.0.0.2:49153 1"},
		{"  18: 0100007F:0016 0200000A:C001 06 00000000:00000000 03:00001771 00000000     0        0 0 3 ffff", ""},
		{"  18: 0100007F:0016 0200000A:C001 05 00000000:00000000 03:00001771 00000000     0        0 0 3 ffff", ""},
		{"  18: 0100007F:0016 0200000A:C001 05 00000000:00000000 00:00000000 00000000     0        0 0 3 ffff", "127.0.0.1:22 10.0.0.2:49153 5"},
		{"   0: 00000000000000000000000001000000:0016 B80D01200000000000000000010000FF:0050 01 00000000:00000000 00:00000000 00000000 0 0 1", "[::1]:22 [2001:db8::ff00:1]:80 1"},
		{"   0: 0000000000000000FFFF00000100007F:0016 0000000000000000FFFF00000200000A:0050 08 00000000:00000000 00:00000000 00000000 0 0 1", "127.0.0.1:22 10.0.0.2:80 8"},
		{"", ""},
		{"   0: 0100007F 00000000:0000 0A 0:0 00:0 0 ", ""},
		{"   0: 0100007:0016 00000000:0000 0A 0:0 00:0 0 ", ""},
		{"   0: 0100007F:00016 00000000:0000 0A 0:0 00:0 0 ", "127.0.0.1:22 0.0.0.0:0 10"},
		{"   0: 0100007F:1FFFF 00000000:0000 0A 0:0 00:0 0 ", ""},
		{"   0: 0100007G:0016 00000000:0000 0A 0:0 00:0 0 ", ""},
		{"   0: 0100007F:0016 00000000:0000 XX 0:0 00:0 0 ", ""},
	} {
		var s Socket
		got := ""
		if s.parse([]byte(test.line)) {
			got = fmt.Sprintf("%v %v %d", s.Local, s.Remote, s.State)
		}
		if got != test.want {
			t.Errorf("%s: got %q, want %q", test.line, got, test.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("  17: 0100007F:0016 0200000A:C001 01 00000000:00000000 02:000A7214 00000000     0        0 1 2 ffff 20 4 1 10 -1")
	f.Fuzz(func(t *testing.T, line string) {
		var s Socket
		if s.parse([]byte(line)) && (!s.Local.IsValid() || !s.Remote.IsValid() || s.Local.Addr().Is4In6()) {
			t.Errorf("%q: %+v", line, s)
		}
	})
}

// TestBoth: both ways to list give the same, however many lines there are.
func TestBoth(t *testing.T) {
	d := openDiag(t)
	defer d.Close()
	p, err := OpenProc(0)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	var ports Ports
	var want []string
	for _, at := range []string{"127.0.0.1:0", "[::1]:0", "[::]:0"} {
		l, err := net.Listen("tcp", at)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		addr := l.Addr().(*net.TCPAddr).AddrPort()
		ports = append(ports, addr.Port())
		host := addr.Addr()
		if host.IsUnspecified() {
			host = netip.AddrFrom4([4]byte{127, 0, 0, 1})
		}
		for i := range 100 { // the kernel gives out a page at a time
			c, err := net.Dial("tcp", netip.AddrPortFrom(host, addr.Port()).String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			far, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer far.Close()
			bytes := watch.Bytes{In: uint64(i), Out: 1, Known: true}
			if _, err := fmt.Fprint(c, strings.Repeat("x", i)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(far, make([]byte, i)); err != nil {
				t.Fatal(err)
			}
			if _, err := far.Write([]byte{1}); err != nil {
				t.Fatal(err)
			}
			if _, err := c.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			state := Established
			if i%3 == 0 { // the client has sent its end, which is no payload
				c.(*net.TCPConn).CloseWrite()
				state = CloseWait
			}
			if i%3 == 1 {
				far.(*net.TCPConn).CloseWrite()
				state = FinWait2
			}
			want = append(want, fmt.Sprintf("%v %d %+v", c.LocalAddr(), state, bytes))
		}
	}
	slices.Sort(want)
	// A client's port may have connections to several of the listeners.
	type ends struct{ local, remote netip.AddrPort }
	describe := func(list []Socket, bytes map[ends]watch.Bytes) (text []string) {
		for _, s := range list {
			text = append(text, fmt.Sprintf("%v %d %+v", s.Remote, s.State, bytes[ends{s.Local, s.Remote}]))
		}
		slices.Sort(text)
		return text
	}
	// The last acknowledgement may be on its way.
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		var list []Socket
		bytes := make(map[ends]watch.Bytes)
		if err := d.Connections(ports, func(s *Socket) {
			list = append(list, *s)
			bytes[ends{s.Local, s.Remote}] = s.Bytes
		}); err != nil {
			t.Fatal(err)
		}
		fromProc, err := p.Connections(ports)
		if err != nil {
			t.Fatal(err)
		}
		diff := cmp.Diff(want, describe(list, bytes)) + cmp.Diff(want, describe(fromProc, bytes))
		if diff == "" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(diff)
		}
	}
	listeners := make(map[uint16]bool)
	if err := d.Listeners(ports, func(s *Socket) { listeners[s.Local.Port()] = true }); err != nil {
		t.Fatal(err)
	}
	var got Ports
	for p := range listeners {
		got = append(got, p)
	}
	if diff := cmp.Diff(ports, got, cmpopts.SortSlices(func(a, b uint16) bool { return a < b })); diff != "" {
		t.Error(diff)
	}
}

// openDiag skips where the kernel has no module for it, as in machines of package vm.
func openDiag(t *testing.T) *Diag {
	t.Helper()
	d, err := OpenDiag()
	if err != nil {
		err = fmt.Errorf("%w (%w)", err, ebpf.ErrNotSupported)
	}
	testkit.Need(t, err, testkit.Absence{Reason: "no module tcp_diag", Absent: testkit.InVM})
	return d
}
