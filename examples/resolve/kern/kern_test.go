package kern

import (
	"bytes"
	"testing"
	"time"

	"github.com/waggle-bpf/waggle/bpf/bpftest"
	"github.com/waggle-bpf/waggle/bpf/trace"
)

func TestLookup(t *testing.T) {
	k := bpftest.New(t)
	const addr = 0x7f0000001000
	k.SetMemory(addr, []byte("example.com\x00"))
	var enter, leave trace.Regs
	enter.SetArg(0, addr)
	leave.SetRet(0)

	k.SetTask(bpftest.Task{PID: 1, TID: 1, Comm: "early"})
	bpftest.Run(k, Return, &leave) // was under way before

	k.SetTask(bpftest.Task{PID: 42, TID: 43, Comm: "curl"})
	bpftest.Run(k, Enter, &enter)
	k.Advance(3 * time.Millisecond)
	leave.SetRet(0xffff_fffe)
	bpftest.Run(k, Return, &leave)

	got := bpftest.Events(k, &Lookups)
	if len(got) != 1 {
		t.Fatalf("got %d events", len(got))
	}
	e := got[0]
	if e.PID != 42 || e.Result != -2 || e.Took != 3e6 ||
		!bytes.HasPrefix(e.Comm[:], []byte("curl\x00")) || !bytes.HasPrefix(e.Host[:], []byte("example.com\x00")) {
		t.Errorf("got %+v", e)
	}
	if n := len(bpftest.Entries(k, &calls)); n != 0 {
		t.Errorf("%d calls are remembered", n)
	}
}
