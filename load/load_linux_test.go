package load

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"github.com/waggle-bpf/waggle/internal/testkit"
	"github.com/waggle-bpf/waggle/load/internal/capability"
)

// without runs f on a thread that lacks capabilities, all other than those
// named included.
func without(t *testing.T, f func(), keep ...capability.Cap) {
	t.Helper()
	testkit.RequireRoot(t)
	done := make(chan error)
	go func() {
		defer close(done)
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var data [2]unix.CapUserData
		for _, c := range keep {
			data[c/32].Effective |= 1 << (c % 32)
			data[c/32].Permitted |= 1 << (c % 32)
		}
		if err := unix.Capset(&header, &data[0]); err != nil {
			done <- err
			return
		}
		f()
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestPrivileges(t *testing.T) {
	for _, tt := range []struct {
		program string
		keep    []capability.Cap
		want    string
		op      string
	}{
		{"on_xdp", nil, "CAP_BPF", "create map "},
		{"on_xdp", []capability.Cap{capability.BPF}, "CAP_NET_ADMIN", ""},
		{"on_tp", []capability.Cap{capability.BPF, capability.NetAdmin}, "CAP_PERFMON", "load program on_tp"},
		{"on_xdp", []capability.Cap{capability.BPF, capability.NetAdmin}, "", ""},
		{"on_xdp", []capability.Cap{capability.SysAdmin, capability.NetAdmin}, "", ""},
		{"on_tp", []capability.Cap{capability.SysAdmin, capability.NetAdmin}, "", ""},
	} {
		o := openObject(t, "hooks.o")
		without(t, func() {
			h, err := o.Load(Options{Programs: []string{tt.program}})
			if err == nil {
				h.Close()
			}
			var denied *PrivilegeError
			if tt.want == "" {
				if err != nil {
					t.Errorf("%s with %v: %v", tt.program, tt.keep, err)
				}
				return
			}
			if !errors.As(err, &denied) || denied.Capability != tt.want || !strings.HasPrefix(err.Error(), tt.op) {
				t.Errorf("%s with %v: %v, want %s", tt.program, tt.keep, err, tt.want)
			}
		}, tt.keep...)
	}
}

// TestPrivilegesOfVerifier loads what the verifier takes from those who may see
// kernel addresses: a read of the stack at an offset that it doesn't know.
func TestPrivilegesOfVerifier(t *testing.T) {
	o, err := FromSpec("mem", &ebpf.CollectionSpec{Programs: map[string]*ebpf.ProgramSpec{"p": {
		Name: "p", Type: ebpf.XDP, License: "GPL",
		Instructions: asm.Instructions{
			asm.FnGetPrandomU32.Call(),
			asm.And.Imm(asm.R0, 7),
			asm.Mov.Imm(asm.R2, 0),
			asm.StoreMem(asm.RFP, -8, asm.R2, asm.DWord),
			asm.Mov.Reg(asm.R1, asm.RFP),
			asm.Add.Reg(asm.R1, asm.R0),
			asm.LoadMem(asm.R0, asm.R1, -8, asm.Byte),
			asm.Return(),
		},
	}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	loadObject(t, o, Options{})
	without(t, func() {
		_, err := o.Load(Options{})
		var denied *PrivilegeError
		var refusal *VerifierError
		if !errors.As(err, &denied) || denied.Capability != "CAP_PERFMON" || !errors.As(err, &refusal) ||
			!strings.HasPrefix(err.Error(), "load program p: needs CAP_PERFMON, without which the verifier is stricter: program p: ") ||
			strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v", err)
		}
	}, capability.BPF, capability.NetAdmin)
}

// TestPrivilegesOfAttach attaches a filter, which takes a right of its own;
// links take none beyond those that loading took.
func TestPrivilegesOfAttach(t *testing.T) {
	h := loadHook(t, "on_tcx")
	without(t, func() {
		_, err := h.Attach("on_tcx", Target{Interfaces: []string{"lo"}, TC: Clsact})
		var denied *PrivilegeError
		if !errors.As(err, &denied) || denied.Capability != "CAP_NET_ADMIN" || err.Error() != "attach on_tcx: needs CAP_NET_ADMIN" {
			t.Errorf("error %v", err)
		}
	}, capability.BPF)
}

// TestUnsupported loads what no kernel has.
func TestUnsupported(t *testing.T) {
	testkit.RequireRoot(t)
	ret := asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()}
	for _, tt := range []struct {
		spec *ebpf.CollectionSpec
		want string
	}{
		{&ebpf.CollectionSpec{Programs: map[string]*ebpf.ProgramSpec{
			"p": {Name: "p", Type: ebpf.LircMode2, Instructions: ret, License: "GPL"},
		}}, "load program p: this kernel has no program type LircMode2"},
		{&ebpf.CollectionSpec{
			Programs: map[string]*ebpf.ProgramSpec{"p": {Name: "p", Type: ebpf.XDP, Instructions: ret}},
			Maps:     map[string]*ebpf.MapSpec{"m": {Name: "m", Type: ebpf.StackTrace, KeySize: 4, ValueSize: 8, MaxEntries: 1}},
		}, "create map m: this kernel has no map type StackTrace"},
	} {
		o, err := FromSpec("mem", tt.spec, nil)
		if err != nil {
			t.Fatal(err)
		}
		h, err := o.Load(Options{})
		if err == nil {
			h.Close() // this kernel has it after all
			continue
		}
		var lacking *UnsupportedError
		if !errors.Is(err, ErrNotSupported) || !errors.As(err, &lacking) || err.Error() != tt.want {
			t.Errorf("error %v, want %q", err, tt.want)
		}
	}
}

func TestLoadRefuses(t *testing.T) {
	testkit.RequireRoot(t)
	check := func(o *Object, opts Options, want string) {
		t.Helper()
		h, err := o.Load(opts)
		if err == nil {
			h.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	check(openObject(t, "maps.o"), Options{}, "load object testdata/maps.o: map shared is pinned by name and there is no pin path")
	check(openObject(t, "maps.o"), Options{PinPath: t.TempDir()}, "map shared")
	check(openObject(t, "hooks.o"), Options{Programs: []string{"absent"}}, `no program "absent" in it (it has on_xdp`)
	check(openObject(t, "hooks.o"), Options{MapReplacements: map[string]*ebpf.Map{"absent": nil}}, "absent")
	o := openObject(t, "events.o")
	o.Spec().Maps["ring"].MaxEntries = 5000
	check(o, Options{}, "create map ring: map create: invalid argument (ring map size 5000")
}

// TestPinnedByName shares a map of two handles.
func TestPinnedByName(t *testing.T) {
	dir := pinDir(t)
	a := loadObject(t, openObject(t, "maps.o"), Options{PinPath: dir + "/deep"})
	b := loadObject(t, openObject(t, "maps.o"), Options{PinPath: dir + "/deep"})
	ma, err := MapOf[uint32, uint64](a, "shared")
	if err != nil {
		t.Fatal(err)
	}
	mb, err := MapOf[uint32, uint64](b, "shared")
	if err != nil {
		t.Fatal(err)
	}
	if err := ma.Put(1, 99); err != nil {
		t.Fatal(err)
	}
	if v, err := mb.Get(1); v != 99 || err != nil {
		t.Errorf("%d, %v", v, err)
	}
	if _, err := os.Stat(dir + "/deep/shared"); err != nil {
		t.Error(err)
	}
}
