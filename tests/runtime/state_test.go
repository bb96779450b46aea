package runtime

import (
	"maps"
	"net"
	"sync"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"

	"github.com/waggle-bpf/waggle/bpf/tc"
	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/load"
	"github.com/waggle-bpf/waggle/tests/runtime/state"
)

func TestVariables(t *testing.T) {
	obj := open(t, "state")
	h := start(t, obj, load.Options{Programs: []string{"Scale"}})
	run(t, h, "Scale")
	if got := get[uint64](t, h, "Output"); got != 14 {
		t.Errorf("output %d, want 14: input and constants as the source sets them", got)
	}
	set(t, h, "Input", uint64(1))
	run(t, h, "Scale")
	set(t, h, "Enabled", false)
	if v := run(t, h, "Scale"); v != uint32(tc.Drop) {
		t.Errorf("verdict %d although switched off", v)
	}
	want := state.Limits{Low: 1, High: 10}
	if got := get[state.Limits](t, h, "Last"); got != want {
		t.Errorf("last %v, want %v", got, want)
	}
	if got := get[[3]uint16](t, h, "Totals"); got != [3]uint16{2, 0, 1} {
		t.Errorf("totals %v", got)
	}
}

func TestConstants(t *testing.T) {
	obj := open(t, "state")
	for name, value := range map[string]any{"Factor": uint64(5), "Bounds": state.Limits{Low: 1, High: 1000}} {
		if err := obj.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	if err := obj.Set("Factor", -5); err == nil {
		t.Error("an unsigned constant took a negative value")
	}
	h := start(t, obj, load.Options{Programs: []string{"Scale"}})
	run(t, h, "Scale")
	if got := get[uint64](t, h, "Output"); got != 35 {
		t.Errorf("output %d, want 35", got)
	}
	v, err := load.VariableOf[uint64](h, "Factor")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := v.Get(); err != nil || got != 5 {
		t.Errorf("constant %d, %v", got, err)
	}
	if v.Set(6) == nil {
		t.Error("a constant was set after loading")
	}
}

func TestMaps(t *testing.T) {
	h := start(t, open(t, "state"), load.Options{Programs: []string{"Store"}})
	for _, n := range []uint64{3, 4, 3} {
		set(t, h, "Input", n)
		run(t, h, "Store")
	}
	flow := func(n uint32) state.Flow {
		return state.Flow{Src: n, Dst: ^n, Port: uint16(n), Proto: 6, Outgoing: n&1 != 0}
	}
	// What the programs see of a packet of 64 bytes.
	length := uint32(64)
	want := map[state.Flow]state.Usage{
		flow(3): {Packets: 2, Bytes: length, Kind: -3, Seen: [3]bool{1: true, 2: true}},
		flow(4): {Packets: 1, Bytes: length, Kind: -3, Seen: [3]bool{1: true}},
	}
	var err error
	got := maps.Collect(mapOf[state.Flow, state.Usage](t, h, "Flows").All(&err))
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("flows: %v (-want +got):\n%s", err, diff)
	}
	recent, err := mapOf[uint32, [2]uint16](t, h, "Recent").Get(4)
	if err != nil || recent != [2]uint16{4, 0xabcd} {
		t.Errorf("recent %v, %v", recent, err)
	}
	perCPU, err := load.PerCPUMapOf[uint32, state.Usage](h, "PerCPU")
	if err != nil {
		t.Fatal(err)
	}
	var packets uint64
	values, err := perCPU.Get(1)
	for _, u := range values {
		packets += u.Packets
	}
	if err != nil || packets != 3 {
		t.Errorf("%d packets on all CPUs, %v", packets, err)
	}
	table := mapOf[uint32, int32](t, h, "Table")
	if err := table.Put(3, 100); err != nil {
		t.Fatal(err)
	}
	run(t, h, "Store")
	if n, err := table.Get(3); err != nil || n != 97 {
		t.Errorf("element %d, %v; want 97", n, err)
	}
}

// TestMapTypes: user space must agree with the kernel package about types.
func TestMapTypes(t *testing.T) {
	h := start(t, open(t, "state"), load.Options{Programs: []string{"Store"}})
	type other struct {
		Src, Dst uint32
		Port     int32
	}
	if _, err := load.MapOf[other, state.Usage](h, "Flows"); err == nil {
		t.Error("a key with other fields was accepted")
	}
	if _, err := load.MapOf[uint32, int64](h, "Table"); err == nil {
		t.Error("a value of another size was accepted")
	}
}

// TestSpinLock: two threads run the program at a time.
func TestSpinLock(t *testing.T) {
	h := start(t, open(t, "state"), load.Options{Programs: []string{"Transfer"}})
	p, err := h.Program("Transfer")
	if err != nil {
		t.Fatal(err)
	}
	const each = 20_000
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if _, err := p.Run(&ebpf.RunOptions{Data: make([]byte, 64), Repeat: each}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	// A test run that a signal interrupts starts over, so it may be more.
	a, err := mapOf[uint32, state.Account](t, h, "Accounts").Get(0)
	if err != nil || a.Deposits < 2*each || a.Right != int64(a.Deposits) || a.Left != -a.Right {
		t.Errorf("%d deposits, %d left, %d right, %v", a.Deposits, a.Left, a.Right, err)
	}
}

func TestSkStorage(t *testing.T) {
	h := start(t, open(t, "state"), load.Options{Programs: []string{"Egress"}})
	group := testkit.NewCgroup(t)
	if _, err := h.Attach("Egress", load.Target{Cgroup: group.Path}); err != nil {
		t.Fatal(err)
	}
	group.Join(t)
	// Each socket has a count of its own.
	for range 2 {
		conn, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for n := range 3 {
			if _, err := conn.WriteTo([]byte("x"), conn.LocalAddr()); err != nil {
				t.Fatal(err)
			}
			if got := get[state.Limits](t, h, "Last").Low; got != uint32(n+1) {
				t.Errorf("packet %d of the socket was counted as %d", n+1, got)
			}
		}
	}
}
