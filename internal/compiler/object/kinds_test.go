//go:build linux

package object

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/waggle-bpf/waggle/internal/abi"
	"github.com/waggle-bpf/waggle/internal/testkit"
)

// kindTargets are targets for kinds that need one.
var kindTargets = map[string]string{"tracepoint": "sock/inet_sock_set_state", "raw_tracepoint": "sys_enter"}

// newerLibbpf lists the kinds that libbpf 1.1 doesn't know.
var newerLibbpf = map[string]bool{"tcx/ingress": true, "tcx/egress": true, "sk_skb/verdict": true}

// kindObject is an object with one program of kind k, which returns what it
// would return on a fault.
func kindObject(t *testing.T, k *abi.ProgramKind) []byte {
	f := newFixture(t, demoSrc)
	f.prog(k.Name, kindTargets[k.Name], "Count", pos(f.at("return int32(n)"), movImm(0, k.Fault), exit)...)
	return f.write()
}

func TestEveryProgramKindWithCilium(t *testing.T) {
	testkit.RequireRoot(t)
	for i := range abi.ProgramKinds {
		k := &abi.ProgramKinds[i]
		t.Run(strings.ReplaceAll(k.Name, "/", " "), func(t *testing.T) {
			spec, _ := loadCilium(t, kindObject(t, k))
			p := spec.Programs["Count"]
			if uint32(p.Type) != k.Type || uint32(p.AttachType) != k.Attach {
				t.Errorf("type %d attach %d, want %d and %d", p.Type, p.AttachType, k.Type, k.Attach)
			}
			if p.AttachTo != kindTargets[k.Name] {
				t.Errorf("attaches to %q", p.AttachTo)
			}
		})
	}
}

func TestEveryProgramKindWithLibbpf(t *testing.T) {
	testkit.RequireRoot(t)
	version := bpftool(t, "version")
	for i := range abi.ProgramKinds {
		k := &abi.ProgramKinds[i]
		t.Run(strings.ReplaceAll(k.Name, "/", " "), func(t *testing.T) {
			if newerLibbpf[k.Name] && strings.Contains(version, "libbpf v1.1") {
				t.Skip("libbpf 1.1 does not know this section")
			}
			dir := loadLibbpf(t, kindObject(t, k))
			p, err := ebpf.LoadPinnedProgram(filepath.Join(dir, "p", "Count"), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			if uint32(p.Type()) != k.Type {
				t.Errorf("type %d, want %d", p.Type(), k.Type)
			}
		})
	}
}
