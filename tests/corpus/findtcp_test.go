package corpus

import (
	"net"
	"time"

	"github.com/waggle-bpf/waggle/load"
	"github.com/waggle-bpf/waggle/tests/corpus/findsock"
	"github.com/waggle-bpf/waggle/tests/corpus/tcpprogress"
)

func liveFindSock(w *world) {
	_, err := w.h.Attach("Filter", load.Target{Interfaces: []string{"lo"}, Direction: load.Ingress})
	w.must(err)
	for i, a := range []string{"127.0.0.1:0", "[::1]:0"} {
		w.talk(a, "hello")
		if n := value(w, "Listening", &findsock.Listening); n < uint64(i)+1 {
			w.Errorf("%d packets for listening sockets", n)
		}
		if n := value(w, "Established", &findsock.Established); n < uint64(4*i)+4 {
			w.Errorf("%d packets for connections", n)
		}
	}
	w.equal("stray", value(w, "Stray", &findsock.Stray), uint64(0))
	d := net.Dialer{Timeout: 100 * time.Millisecond}
	if c, err := d.Dial("tcp", "127.0.0.1:9"); err == nil {
		c.Close()
		w.Error("connected to nobody")
	}
	if value(w, "Stray", &findsock.Stray) == 0 {
		w.Error("no packet for nobody")
	}
}

func liveTCPProgress(w *world) {
	for _, hook := range []load.Target{{Direction: load.Ingress}, {Direction: load.Egress}} {
		hook.Interfaces = []string{"lo"}
		name := map[bool]string{true: "In", false: "Out"}[hook.Direction == load.Ingress]
		_, err := w.h.Attach(name, hook)
		w.must(err)
	}
	const message = "hello"
	for _, a := range []string{"127.0.0.1:0", "[::1]:0"} {
		c := w.talk(a, message)
		client, server := c.client, c.server
		conn := func(local, remote *net.TCPAddr) tcpprogress.Conn {
			return tcpprogress.Conn{
				Local: addr(local), LocalPort: uint16(local.Port), Remote: addr(remote), RemotePort: uint16(remote.Port),
			}
		}
		ours := at(w, "Conns", &tcpprogress.Conns, conn(client, server))
		theirs := at(w, "Conns", &tcpprogress.Conns, conn(server, client))
		for _, p := range []*tcpprogress.Progress{&ours, &theirs} {
			// The ends of a direction have numbers too, and count as bytes.
			n := uint64(len(message))
			if p.Received < n || p.Received > n+1 || p.Acked < n || p.Acked > n+2 {
				w.Errorf("%s: %d bytes received, %d acknowledged", a, p.Received, p.Acked)
			}
			if p.SndNxt-p.SndUna > 1 || p.Packets < 3 || p.Ours == 0 || p.Ours >= p.Packets {
				w.Errorf("%s: %d packets, %d of them ours, %d in flight", a, p.Packets, p.Ours, p.SndNxt-p.SndUna)
			}
		}
		if d := ours.SndNxt - theirs.RcvNxt; d > 1 {
			w.Errorf("%s: sent up to %d, expected is %d", a, ours.SndNxt, theirs.RcvNxt)
		}
	}
	if value(w, "Partial", &tcpprogress.Partial) < 2 {
		w.Error("no packet for the request of a connection")
	}
	w.equal("missed", value(w, "Missed", &tcpprogress.Missed), uint64(0))
}
