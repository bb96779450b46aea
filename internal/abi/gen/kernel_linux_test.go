package main

import (
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"

	"github.com/waggle-bpf/waggle/internal/testkit"
)

// kernelBTF returns the running kernel's types.
func kernelBTF(t *testing.T) *btf.Spec {
	t.Helper()
	testkit.RequireRoot(t)
	spec, err := btf.LoadKernelSpec()
	testkit.Need(t, err)
	return spec
}

// The kernel gives every helper the number that we give it.
func TestKernelHelperNumbers(t *testing.T) {
	var ids *btf.Enum
	if err := kernelBTF(t).TypeByName("bpf_func_id", &ids); err != nil {
		t.Fatal(err)
	}
	kernel := map[string]uint64{}
	for _, v := range ids.Values {
		kernel[strings.TrimPrefix(v.Name, "BPF_FUNC_")] = v.Value
	}
	for _, h := range parseHelpers(read("helpers.txt")) {
		if n, ok := kernel[h.name]; ok && n != uint64(h.id) {
			t.Errorf("helper %s has number %d, the kernel says %d", h.name, h.id, n)
		} else if !ok {
			t.Logf("this kernel has no helper %s", h.name)
		}
	}
}

// The kernel lays its structs out as we do, as far as ours go.
func TestKernelStructLayout(t *testing.T) {
	spec := kernelBTF(t)
	for name, s := range parseStructs(read("structs.txt")) {
		var k *btf.Struct
		if err := spec.TypeByName(name, &k); err != nil {
			t.Errorf("struct %s: %v", name, err)
			continue
		}
		places := map[string][2]int{}
		place(t, places, k.Members, 0)
		for _, f := range s.fields {
			if f.group {
				f.size = places[f.name][1]
			}
			if got, ok := places[f.name]; f.name != "" && (!ok || got != [2]int{f.off, f.size}) {
				t.Errorf("struct %s, field %s: offset and size %v, the kernel says %v", name, f.name, [2]int{f.off, f.size}, got)
			}
		}
		if s.size > int(k.Size) {
			t.Errorf("struct %s has %d bytes, in the kernel %d", name, s.size, k.Size)
		}
	}
}

// place notes offset and size of each member by name, anonymous ones unfolded.
func place(t *testing.T, places map[string][2]int, members []btf.Member, base int) {
	for _, m := range members {
		off := base + int(m.Offset/8)
		if m.Name == "" {
			switch u := btf.UnderlyingType(m.Type).(type) {
			case *btf.Union:
				place(t, places, u.Members, off)
			case *btf.Struct:
				place(t, places, u.Members, off)
			}
			continue
		}
		size, err := btf.Sizeof(m.Type)
		if err != nil {
			t.Fatal(err)
		}
		places[m.Name] = [2]int{off, size}
	}
}
