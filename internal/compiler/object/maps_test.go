//go:build linux

package object

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"

	"github.com/waggle-bpf/waggle/internal/abi"
	"github.com/waggle-bpf/waggle/internal/compiler/ir"
	"github.com/waggle-bpf/waggle/internal/testkit"
)

const mapsSrc = `package probe

type Key struct { Prefix uint32; Addr [4]byte }
type Value struct { Packets, Bytes uint64 }
type Set struct{}
type Index uint32
func F(ctx *int) int32 { return 0 }
`

// mapEntries are the sizes for kinds that need a particular one.
var mapEntries = map[abi.MapKind]uint32{abi.MapRingBuf: 4096, abi.MapCPUMap: 1}

// everyMap has a map of each type that package bpf offers, as the front end
// would make it, and programs that refer to each.
func everyMap(t *testing.T) *fixture {
	f := newFixture(t, mapsSrc)
	params := []string{"Key", "Value"}
	side := func(s abi.MapSide) string {
		if s.TypeParam == 0 {
			return ""
		}
		return params[s.TypeParam-1]
	}
	for _, mt := range abi.MapTypes {
		entries := uint32(16)
		if n, ok := mapEntries[mt.Kind]; ok {
			entries = n
		}
		if mt.NoMaxEntries {
			entries = 0
		}
		m := f.mapOf("m"+mt.GoName, mt.Kind, side(mt.Key), side(mt.Value), entries)
		m.Flags = mt.Flags
		m.KeySize = max(m.KeySize, mt.Key.Fixed)
		m.ValueSize = max(m.ValueSize, mt.Value.Fixed)
	}
	f.prog("xdp", "", "F", movImm(0, 2), exit)
	return f
}

func TestEveryMapTypeWithCilium(t *testing.T) {
	testkit.RequireRoot(t)
	f := everyMap(t)
	spec, err := CollectionSpec(f.write())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range f.m.Maps {
		t.Run(want.Name, func(t *testing.T) {
			ms := spec.Maps[want.Name]
			if ms == nil {
				t.Fatal("not in the object")
			}
			got := ir.Map{
				Name: ms.Name, Kind: abi.MapKind(ms.Type), KeySize: ms.KeySize, ValueSize: ms.ValueSize,
				MaxEntries: ms.MaxEntries, Flags: ms.Flags,
			}
			w := *want
			w.Key, w.Value = nil, nil
			if w.Kind == abi.MapPerfEventArray {
				got.ValueSize = 4 // cilium/ebpf knows it anyway
			}
			if d := cmp.Diff(w, got); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
			m, err := ebpf.NewMap(ms)
			if err != nil {
				t.Fatal(err)
			}
			m.Close()
		})
	}
}

// TestEveryMapTypeWithLibbpf fails on any warning: libbpf warns before it
// retries without BTF.
func TestEveryMapTypeWithLibbpf(t *testing.T) {
	testkit.RequireRoot(t)
	dir := loadLibbpf(t, everyMap(t).write())
	for _, mt := range abi.MapTypes {
		if _, err := os.Stat(filepath.Join(dir, "m", "m"+mt.GoName)); err != nil {
			t.Error(err)
		}
	}
}

// TestMapsKeepTypes checks that the kernel knows the types of the maps that can
// have them.
func TestMapsKeepTypes(t *testing.T) {
	testkit.RequireRoot(t)
	dir := loadLibbpf(t, everyMap(t).write())
	for _, name := range []string{"mHash", "mArray", "mLRUHash", "mPerCPUArray", "mLPMTrie", "mSkStorage"} {
		out := bpftool(t, "map", "show", "pinned", filepath.Join(dir, "m", name))
		if !strings.Contains(out, "btf_id") {
			t.Errorf("map %s has no BTF:\n%s", name, out)
		}
	}
}

func TestMapDef(t *testing.T) {
	f := newFixture(t, mapsSrc)
	mk := func(kind abi.MapKind, key, value string, change func(*ir.Map)) *ir.Map {
		m := f.mapOf("m", kind, key, value, 8)
		if change != nil {
			change(m)
		}
		return m
	}
	tests := []struct {
		name string
		m    *ir.Map
		want string
	}{
		{"typed", mk(abi.MapHash, "Key", "Value", nil), "type=1 key:Key value:Value max_entries=8"},
		{"pinned", mk(abi.MapHash, "Key", "Value", func(m *ir.Map) { m.Pin, m.Flags = true, 1<<31 }),
			"type=1 key:Key value:Value max_entries=8 map_flags=2147483648 pinning=1"},
		{"array key is an int", mk(abi.MapArray, "Index", "Value", nil), "type=2 key:unsigned int value:Value max_entries=8"},
		{"empty value is a byte", mk(abi.MapHash, "Key", "Set", func(m *ir.Map) { m.ValueSize = 1 }),
			"type=1 key_size=8 value_size=1 max_entries=8"},
		{"trie key that is no struct", mk(abi.MapLPMTrie, "[8]byte", "Value", nil), "type=11 key_size=8 value_size=16 max_entries=8"},
		{"untyped", mk(abi.MapSockHash, "Key", "uint32", nil), "type=18 key_size=8 value_size=4 max_entries=8"},
		{"no sizes", mk(abi.MapRingBuf, "", "", nil), "type=27 max_entries=8"},
		{"huge", mk(abi.MapHash, "Key", "Value", func(m *ir.Map) { m.MaxEntries = 1<<32 - 1 }),
			"type=1 key:Key value:Value max_entries=4294967295"},
	}
	var defs []btf.Type
	c := newConverter(f.m.Name, nil, nil)
	for _, tt := range tests {
		def := c.mapDef(tt.m)
		var fields []string
		for _, m := range def.Members {
			switch target := m.Type.(*btf.Pointer).Target.(type) {
			case *btf.Array:
				fields = append(fields, fmt.Sprintf("%s=%d", m.Name, target.Nelems))
			default:
				fields = append(fields, m.Name+":"+target.TypeName())
			}
		}
		if got := strings.Join(fields, " "); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
		defs = append(defs, def)
	}
	checkKernelAccepts(t, defs)
}

func TestPinnedByName(t *testing.T) {
	f := newFixture(t, mapsSrc)
	f.mapOf("Shared", abi.MapHash, "Key", "Value", 8).Pin = true
	spec, err := CollectionSpec(f.write())
	if err != nil {
		t.Fatal(err)
	}
	if got := spec.Maps["Shared"].Pinning; got != ebpf.PinByName {
		t.Errorf("pinning is %v", got)
	}
}

// TestRecords looks for the types of what buffers carry.
func TestRecords(t *testing.T) {
	f := newFixture(t, "package probe\ntype Event struct { A uint32; B [4]byte }")
	f.mapOf("Events", abi.MapRingBuf, "", "", 4096).Record = f.typ("Event")
	f.mapOf("Numbers", abi.MapPerfEventArray, "", "", 0).Record = f.typ("uint64")
	f.mapOf("Untyped", abi.MapRingBuf, "", "", 4096)
	f.prog("xdp", "", "F", movImm(0, 2), exit)
	spec, err := btf.LoadSpecFromReader(bytes.NewReader(f.write()))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"Events": "Event", "Numbers": "unsigned long long", "Untyped": ""} {
		var record *btf.Typedef
		got := ""
		if err := spec.TypeByName(abi.RecordPrefix+name, &record); err == nil {
			got = record.Type.TypeName()
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}
