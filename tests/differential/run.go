package differential

import (
	"errors"
	"fmt"
	"hash/fnv"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/waggle-bpf/waggle/compile"
	"github.com/waggle-bpf/waggle/internal/testkit"
)

// Run compares every function of s, one subtest each, with n inputs. The table
// has to hold the subject's exported functions: a missing one fails the test.
func (s *Subject) Run(t *testing.T, n int, table ...any) {
	testkit.RequireRoot(t)
	native := make(map[string]reflect.Value)
	for _, fn := range table {
		v := reflect.ValueOf(fn)
		full := runtime.FuncForPC(v.Pointer()).Name()
		native[full[strings.LastIndex(full, ".")+1:]] = v
	}
	for _, f := range s.funcs {
		t.Run(f.name, func(t *testing.T) {
			fn, ok := native[f.name]
			if !ok {
				t.Fatalf("%s is not in the table of functions", f.name)
			}
			s.compare(t, f, fn, n)
		})
	}
}

// NumFuncs is the number of functions that Run compares.
func (s *Subject) NumFuncs() int { return len(s.funcs) }

func (s *Subject) compare(t *testing.T, f *function, fn reflect.Value, n int) {
	obj, err := compileFunc(s.files, s.name, f, s.Bound)
	if s.Bound != compile.BoundNone && needsStack(err) {
		return // the fault of a loop takes some, too
	}
	if err != nil {
		t.Fatalf("compile: %v", err)
	}
	k, err := loadFunc(obj)
	testkit.Need(t, verbose(err))
	defer k.close()
	nat, err := newNativeFunc(f, fn, k.in, k.out)
	if err != nil {
		t.Fatal(err)
	}
	g := newGenerator(hash(f.name), s.words)
	input := make([]byte, k.in.size)
	for range n {
		g.fill(k.in, input)
		want := nat.run(input)
		for _, m := range k.modes() {
			got, err := k.run(m, input)
			if err != nil {
				t.Fatalf("%s: %v", programs[m], err)
			}
			if diff := k.difference(m, want, got); diff != "" {
				t.Fatalf("%s: input %s\n%s", programs[m], k.in.format(input), diff)
			}
		}
	}
}

// verbose makes a verifier error print all of its log.
func verbose(err error) error {
	var ve *ebpf.VerifierError
	if errors.As(err, &ve) && !errors.Is(err, ebpf.ErrNotSupported) {
		return fmt.Errorf("%+v", ve)
	}
	return err
}

func hash(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s))
	return h.Sum64()
}

// difference describes how two outcomes differ; empty if they don't.
func (k *kernelFunc) difference(m mode, want, got *outcome) string {
	if !got.fault.matches(want.fault) {
		return fmt.Sprintf("natively: %s\nkernel:   %s", k.describe(want), k.describe(got))
	}
	// After a fault nobody copies the stack back.
	if !(m == onStack && want.fault.kind != "") && !k.in.equal(want.in, got.in) {
		return fmt.Sprintf("arguments afterwards\nnatively: %s\nkernel:   %s", k.in.format(want.in), k.in.format(got.in))
	}
	if want.fault.kind == "" && !k.out.equal(want.out, got.out) {
		return fmt.Sprintf("results\nnatively: %s\nkernel:   %s", k.describe(want), k.describe(got))
	}
	return ""
}

func (k *kernelFunc) describe(o *outcome) string {
	if o.fault.kind != "" {
		return "fault " + o.fault.String()
	}
	return k.out.format(o.out)
}

// equal compares what Go would: not the padding.
func (l layout) equal(a, b []byte) bool {
	for _, p := range l.places {
		if string(a[p.off:p.off+p.size]) != string(b[p.off:p.off+p.size]) {
			return false
		}
	}
	return true
}

// format prints the scalars of a variable as hexadecimal numbers.
func (l layout) format(buf []byte) string {
	var b strings.Builder
	for i, p := range l.places {
		if i > 0 {
			b.WriteByte(' ')
		}
		at := buf[p.off : p.off+p.size]
		if p.kind == placeBytes {
			fmt.Fprintf(&b, "%q", at)
			continue
		}
		b.WriteString("0x")
		for k := len(at) - 1; k >= 0; k-- {
			fmt.Fprintf(&b, "%02x", at[k])
		}
	}
	return b.String()
}
