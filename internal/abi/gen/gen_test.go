package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// The committed files are what gen makes.
func TestFresh(t *testing.T) {
	for name, want := range outputs("") {
		path := filepath.Join("..", name)
		got, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(got, want) {
			t.Errorf("%s is stale: run go generate ./internal/abi", path)
		}
	}
}

// The facts name helpers that exist, and parameters that are pointers.
func TestFacts(t *testing.T) {
	helpers := map[string]*helper{}
	for _, h := range parseHelpers(read("helpers.txt")) {
		helpers[h.name] = h
	}
	known := func(name string) *helper {
		h := helpers[name]
		if h == nil {
			t.Errorf("there is no helper %s", name)
			return &helper{}
		}
		return h
	}
	for _, facts := range []map[string]bool{pure, movesPackets} {
		for name := range facts {
			known(name)
		}
	}
	for name, with := range acquires {
		if !isPointer(known(name).result) || releases[known(with).name] == 0 {
			t.Errorf("%s returns no pointer, or %s takes none back", name, with)
		}
	}
	for name, n := range releases {
		if h := known(name); n < 1 || n > len(h.params) || !isPointer(h.params[n-1].ctype) {
			t.Errorf("%s has no pointer parameter %d", name, n)
		}
	}
	for name, params := range readOnly {
		for _, i := range params {
			if h := known(name); i >= len(h.params) || !isPointer(h.params[i].ctype) {
				t.Errorf("%s has no pointer parameter %d", name, i)
			}
		}
	}
	for name := range simulated {
		known(name)
	}
	if len(helpers) != 211 { // the list is frozen; new functions are kfuncs
		t.Errorf("%d helpers", len(helpers))
	}
}

func TestNames(t *testing.T) {
	for c, want := range map[string]string{
		"get_current_pid_tgid": "GetCurrentPidTgid", "ktime_get_ns": "KtimeGetNS", "skb_vlan_push": "SkbVLANPush",
		"local_ip6": "LocalIP6", "__sk_buff": "SkBuff", "ifindex": "IfIndex",
	} {
		if got := goName(c); got != want {
			t.Errorf("goName(%q) = %q, want %q", c, got, want)
		}
	}
	if got := goParam("map_flags"); got != "mapFlags" {
		t.Errorf("goParam: %q", got)
	}
}

func TestStructLayout(t *testing.T) {
	s := parseStructs(`
struct t {
	__u8 a;		/* first */
	__u32 :24;
	__u16 b[3];
	/* a group */
	union {
		__u8 small;
		struct { __u32 x; __u32 y; } both;
		__u64 wide;	/* best */
	} __attribute__((packed));
	__bpf_md_ptr(struct bpf_sock *, sk);
	__u32 end;
};`)["t"]
	type field struct {
		name      string
		off, size int
	}
	want := []field{{"a", 0, 1}, {"", 1, 3}, {"b", 4, 6}, {"both", 16, 8}, {"sk", 24, 8}, {"end", 32, 4}}
	for i, f := range s.fields {
		if got := (field{f.name, f.off, f.size}); got != want[i] {
			t.Errorf("field %d: %+v, want %+v", i, got, want[i])
		}
	}
	if s.size != 40 || s.fields[0].comment != "first" {
		t.Errorf("size %d, comment %q", s.size, s.fields[0].comment)
	}
}
