package link

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

// Link is a wire with an impairment, up and with addresses.
type Link struct {
	*testkit.Pair
	directions [2]*direction // from A, from B
}

// New joins two namespaces until the test ends. The device is called tapSUBNET in
// both, the addresses are those of [testkit.Pair.Furnish].
func New(t testing.TB, a, b *testkit.NS, subnet byte, im Impairment) *Link {
	t.Helper()
	name := fmt.Sprintf("tap%d", subnet)
	l := &Link{Pair: &testkit.Pair{A: testkit.End{NS: a, Device: name}, B: testkit.End{NS: b, Device: name}}}
	var devices [2]*os.File
	var running sync.WaitGroup
	t.Cleanup(func() {
		for _, d := range devices {
			if d != nil {
				d.Close()
			}
		}
		running.Wait()
	})
	for i, ns := range []*testkit.NS{a, b} {
		var err error
		ns.Do(t, func() { devices[i], err = openTAP(name) })
		if err != nil {
			t.Fatal(err)
		}
	}
	l.Furnish(t, subnet)
	for i := range l.directions {
		d := newDirection(im, uint64(i), devices[i], devices[1-i])
		l.directions[i] = d
		running.Go(d.receive)
		running.Go(d.fly)
	}
	return l
}

// Stats tells what became of the packets from A and from B.
func (l *Link) Stats() (fromA, fromB Stats) {
	return l.directions[0].snapshot(), l.directions[1].snapshot()
}

// openTAP makes a TAP device (Documentation/networking/tuntap.rst). Offloads are
// off unless asked for with TUNSETOFFLOAD. The device goes when the file is closed.
func openTAP(name string) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open /dev/net/tun: %w", err)
	}
	request, err := unix.NewIfreq(name)
	if err == nil {
		request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("make tap device %s: %w", name, err)
	}
	return os.NewFile(uintptr(fd), "/dev/net/tun"), nil
}
