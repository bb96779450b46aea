package lint

import (
	"slices"
	"strings"
	"testing"
)

// arrow says what the packages at or below a directory may import of ours, as
// directories; what lies below an allowed directory is allowed too. A package
// may always import its own directory's subtree.
type arrow struct {
	from string
	may  []string
}

// arrows is the map of ARCHITECTURE.md; the first row that fits a package holds.
// Tests may import testkit on top of this, and what they compare with.
var arrows = []arrow{
	{"cmd/waggle", []string{"internal/cli"}},
	{"internal/cli", []string{"agent", "httpwatch", "forward", "redirect", "idle", "wake", "target", "load", "compile", "internal/bindgen", "internal/compiler/diag", "internal/abi", "internal/suggest"}},
	{"internal/bindgen", []string{"compile", "internal/abi"}},
	{"agent", []string{"httpwatch", "forward", "redirect", "idle", "load"}},

	// A kernel half sees the kernel library and nothing else.
	{"httpwatch/kern", []string{"bpf"}},
	{"forward/engine/packet/kern", []string{"bpf"}},
	{"forward/engine/sockmap/kern", []string{"bpf"}},
	{"httpwatch", []string{"load", "bpf"}},
	{"redirect/kern", []string{"bpf"}},
	{"redirect", []string{"load", "bpf", "internal/cgroup"}},
	{"idle/watch/sockops/kern", []string{"bpf"}},
	{"idle/process", []string{"internal/cgroup"}},
	{"idle/watch/watchtest", []string{"idle/watch", "internal/testkit", "load"}},
	{"idle/watch/proxy", []string{"idle/watch", "forward"}},
	{"idle/watch", []string{"idle/watch", "internal/cgroup", "load", "bpf"}},
	{"idle/policy", []string{"idle/watch"}},
	{"idle/control", []string{"idle/policy", "internal/controlsock"}},
	{"idle", []string{"idle", "target", "forward", "load", "internal/cgroup"}},
	{"target", nil},
	{"internal/controlsock", nil},
	{"internal/cgroup", []string{"load/probe"}},
	// What engines' tests share; it makes networks.
	{"forward/engine/enginetest", []string{"forward/engine", "internal/testkit"}},
	{"load", []string{"internal/abi", "internal/faultinfo"}},

	{"forward/engine", []string{"forward/engine", "forward/rawio", "load", "bpf"}},
	{"forward/head", nil},
	{"forward/proxy", nil},
	{"forward/route", []string{"forward/head"}},
	{"forward/backend", []string{"forward/rawio"}},
	{"forward/rawio", nil},
	{"forward/accesslog", nil},
	{"forward/metrics", []string{"forward/backend", "forward/engine"}},
	{"forward/config", []string{"forward/accesslog", "forward/backend", "forward/head", "forward/proxy", "forward/route", "internal/suggest"}},

	{"forward/handover", nil},
	{"forward/admin", []string{"forward", "forward/handover", "internal/controlsock"}},
	{"forward/daemon", []string{"forward"}},
	{"forward", []string{"forward", "load"}},
	{"wake/control", []string{"internal/controlsock"}},
	{"wake", []string{"forward", "target"}},

	{"compile", []string{"internal/compiler", "internal/abi", "internal/faultinfo"}},
	{"internal/compiler/diag", nil},
	{"internal/compiler/ir", []string{"internal/abi"}},
	{"internal/compiler/mach", []string{"internal/compiler/ir"}},
	{"internal/compiler/source", []string{"internal/compiler/diag", "internal/abi", "."}},
	{"internal/compiler/subset", []string{"internal/compiler/source", "internal/compiler/diag", "internal/abi"}},
	{"internal/compiler/lower", []string{"internal/compiler/source", "internal/compiler/subset", "internal/compiler/ir", "internal/compiler/diag", "internal/abi"}},
	{"internal/compiler/pass", []string{"internal/compiler/ir", "internal/compiler/diag", "internal/abi"}},
	{"internal/compiler/isel", []string{"internal/compiler/ir", "internal/compiler/mach", "internal/abi", "internal/compiler/diag"}},
	{"internal/compiler/regalloc", []string{"internal/compiler/mach"}},
	{"internal/compiler/object", []string{"internal/compiler/mach", "internal/compiler/ir", "internal/abi", "internal/faultinfo"}},
	{"internal/compiler", []string{"internal/compiler", "internal/abi"}},
	{"internal/abi", nil},
	{"internal/faultinfo", nil},
	{"internal/suggest", nil},

	// The root package only embeds the kernel library's sources.
	{".", nil},
	{"bpf", nil},
	{"internal/testkit", nil},
	{"internal/lint", nil},

	// What stands outside the layers may look at all of them.
	{"bench", []string{""}},
	{"examples", []string{"bpf", "load"}},
	{"tests", []string{""}},
	{"docs", []string{""}},
}

func (a *arrow) allows(dir string) bool {
	return slices.ContainsFunc(append(a.may, a.from), func(root string) bool { return below(dir, root) })
}

// below tells whether a directory is root or in its subtree. The module's root
// package "." is below nothing but "", which is everything.
func below(dir, root string) bool {
	return root == "" || dir == root || strings.HasPrefix(dir, root+"/")
}

func arrowOf(dir string) *arrow {
	for i := range arrows {
		if below(dir, arrows[i].from) {
			return &arrows[i]
		}
	}
	return nil
}

func TestArrows(t *testing.T) {
	for _, p := range packages(t) {
		a := arrowOf(p.dir())
		if a == nil {
			t.Errorf("%s: no row in the table of arrows; where does it belong in ARCHITECTURE.md?", p.dir())
			continue
		}
		for _, imp := range p.Imports {
			if dir, ours := ourDir(imp); ours && !a.allows(dir) {
				t.Errorf("%s imports %s, but %s may only import %q", p.dir(), dir, a.from, a.may)
			}
		}
	}
}

// doors are the packages that alone may import a library: what they know
// is known nowhere else.
var doors = []struct {
	library string
	only    []string
	why     string
}{
	{"github.com/alecthomas/kong", []string{"internal/cli"}, "the command line is the command's business"},
	{"github.com/cilium/ebpf", []string{"load", "compile", "httpwatch", "forward/engine", "redirect", "internal/cli", "internal/compiler/object", "internal/testkit", "bench", "examples", "tests", "internal/bindgen", "internal/abi/gen"}, "the compiler's middle must not depend on the loader's library"},
	{"golang.org/x/tools/go/ssa", []string{"internal/compiler/source", "internal/compiler/subset", "internal/compiler/lower"}, "below lower there is only our own representation"},
	{"testing", []string{"bpf/bpftest", "internal/testkit", "forward/engine/enginetest", "idle/watch/watchtest", "tests", "bench"}, "test hooks don't belong in what users run"},
	{"os/exec", []string{"redirect", "idle/process", "wake", "idle/watch/watchtest", "target", "internal/testkit", "internal/abi/gen", "internal/lint", "bench", "examples", "tests", "internal/compiler/source", "load"}, "waggle needs no other program but those it is told to run; source asks for a Go toolchain, load looks up executables to probe"},
}

func TestDoors(t *testing.T) {
	for _, p := range packages(t) {
		for _, d := range doors {
			opens := slices.ContainsFunc(p.Imports, func(imp string) bool { return below(imp, d.library) })
			if opens && !slices.ContainsFunc(d.only, func(dir string) bool { return below(p.dir(), dir) }) {
				t.Errorf("%s imports %s, which only %q may: %s", p.dir(), d.library, d.only, d.why)
			}
		}
	}
}
